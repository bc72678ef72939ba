import { openSandbox, type Sandbox, type SandboxRequest, type SandboxResult } from '#shared/sandbox/index.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { isWellFormed, wellFormed } from '#shared/determinism/well-formed.ts';

/** The sandbox of this process, opened when first needed: its children serve one unit each and end when idle. */
const opened = new Map<string, Promise<Sandbox>>();

export function sandboxOf(runtime: Runtime): Promise<Sandbox> {
  const id = `${runtime.kind} ${runtime.env.AGENTMILL_SANDBOX_FUNCTION ?? ''}`;
  let sandbox = opened.get(id);
  if (!sandbox) {
    opened.set(id, (sandbox = openSandbox(runtime)));
    sandbox.catch(() => opened.delete(id));
  }
  return sandbox;
}

/** Ends the children, if any are open: for tests and hosts that close. */
export async function closeSandboxes(): Promise<void> {
  const all = [...opened.values()];
  opened.clear();
  await Promise.all(all.map(async (sandbox) => (await sandbox).close()));
}

/**
 * Runs a batch and gives the results by request id, in one child: units run side by side, and a second child for each
 * would cost its start without making all of them faster.
 */
export async function runAll(
  runtime: Runtime,
  requests: readonly SandboxRequest[],
  unitId: string,
  signal: AbortSignal,
): Promise<Map<string, SandboxResult>> {
  const results = new Map<string, SandboxResult>();
  if (requests.length === 0) return results;
  const sandbox = await sandboxOf(runtime);
  for await (const result of sandbox.runBatch(requests, { unitId, workers: 1, signal }))
    results.set(result.id, checked(result));
  return results;
}

/** A value that cannot be hashed could neither be compared nor kept: Python's texts may hold half a surrogate pair. */
function checked(result: SandboxResult): SandboxResult {
  if (isWellFormed(result as unknown as Json)) return result;
  if (!result.ok) return wellFormed(result);
  const message = 'a text with half of a surrogate pair has no JSON form';
  const { value: _value, ok: _ok, ...rest } = result;
  return wellFormed({ ...rest, ok: false as const, error: { type: 'NotSerializable', message } });
}
