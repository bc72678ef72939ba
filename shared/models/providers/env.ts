import type { Runtime } from '#shared/task/runtime.ts';
import type { Role } from '../role.ts';

/** What providers are made with. */
export interface ProviderEnv {
  runtime: Runtime;
  /** The roles that `builtin` can play, by name. */
  roleOf(name: string): Promise<Role | undefined>;
}
