import type { Clock } from '#shared/determinism/clock.ts';
import type { Ids } from '#shared/determinism/ids.ts';
import type { RecordItem, RecordKey, Records } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';

/** One worker at a time for one piece of work, over all processes: a record that is put if absent. */

export const LEASE_MS = 60_000;
const RENEW_MS = 20_000;
const SHORTEST_WAIT_MS = 25;
const LONGEST_WAIT_MS = 1000;

interface Source {
  records: Records;
  clock: Clock;
  ids: Ids;
}

/**
 * Waits for `look` to find something while another holds the lease; takes the lease when nobody does and runs `work`.
 * A lease is renewed while its work runs and given back when it ends, however it ends; that of a process that died
 * lapses after 60 s.
 */
export async function underLease<T>(
  runtime: Source,
  key: RecordKey,
  look: () => Promise<T | undefined>,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const owner = runtime.ids.hex(64);
  for (let wait = SHORTEST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    signal?.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    const lease = await take(runtime, key, owner);
    if (lease) return holding(runtime, lease, look, work);
    await runtime.clock.sleep(wait, signal);
  }
}

async function take(
  { records, clock }: Source,
  key: RecordKey,
  owner: string,
): Promise<RecordItem | undefined> {
  const item = itemOf(key, owner, clock.now());
  try {
    return await records.put(item, { ifAbsent: true });
  } catch (error) {
    if (!isError(error, 'Conflict')) throw error;
    const current = error.data.current as RecordItem | null;
    if (!current || Number(current.attributes.until) > clock.now()) return undefined;
    return records.put(item, { ifVersion: current.version }).catch((failure: unknown) => {
      if (isError(failure, 'Conflict')) return undefined;
      throw failure;
    });
  }
}

const itemOf = (key: RecordKey, owner: string, now: number) => ({
  ...key,
  attributes: { owner, until: now + LEASE_MS },
  // Some time after its end, so that its end is what is seen.
  ttl: Math.ceil((now + 2 * LEASE_MS) / 1000),
});

async function holding<T>(
  runtime: Source,
  taken: RecordItem,
  look: () => Promise<T | undefined>,
  work: () => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  let lease = taken;
  const beat = (async () => {
    for (;;) {
      await runtime.clock.sleep(RENEW_MS, stop.signal);
      const item = itemOf(lease, String(lease.attributes.owner), runtime.clock.now());
      lease = await runtime.records.put(item, { ifVersion: lease.version });
    }
  })().catch(() => undefined);
  try {
    // Whoever had it before may have done the work between our look and our turn.
    return (await look()) ?? (await work());
  } finally {
    stop.abort();
    await beat;
    await runtime.records.delete(lease, { ifVersion: lease.version }).catch((error: unknown) => {
      if (!isError(error, 'Conflict') && !isError(error, 'NotFound')) throw error;
    });
  }
}
