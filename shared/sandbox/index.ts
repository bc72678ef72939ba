import type { Runtime } from '#shared/task/runtime.ts';
import { openPool } from './pool.ts';
import type { Sandbox } from './types.ts';

export { openInterpreter, type InterpreterOptions } from './interpreter.ts';
export type * from './types.ts';

export interface SandboxOptions {
  /** Children side by side over all units (embedded); default one a core. */
  workers?: number;
}

/**
 * The sandbox of a runtime: hardened child processes when embedded, the sandbox function on AWS (setting
 * `AGENTMILL_SANDBOX_FUNCTION`). Close it when done, or at the latest with the process.
 * @throws InvalidInput on AWS when the setting is absent.
 */
export async function openSandbox(runtime: Runtime, options: SandboxOptions = {}): Promise<Sandbox> {
  if (runtime.kind === 'embedded') return openPool(runtime.env, options);
  const { openRemote } = await import('./remote.ts');
  return openRemote(runtime.env);
}
