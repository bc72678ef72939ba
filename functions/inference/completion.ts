import { seededRng } from '#shared/determinism/rng.ts';
import type { CompletionContext } from '#shared/models/batch/async/complete.ts';
import { loadRegistry } from '#shared/models/registry.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { roleOf } from '../roles.ts';

/** What completions of asynchronous calls are treated with. */
export async function completionContext(runtime: Runtime): Promise<CompletionContext> {
  return { runtime, registry: await loadRegistry(runtime), roleOf, rng: seededRng(runtime.ids.hex(64)) };
}
