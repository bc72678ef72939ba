import { isoTime, type Clock } from '#shared/determinism/clock.ts';
import type { Ids } from '#shared/determinism/ids.ts';
import type { Artifacts, Json, RecordItem, Records } from '#shared/storage/ports.ts';
import { invalidInput, isError } from '#shared/task/errors.ts';
import { artifactKey, recordKey, TTL_SECONDS } from './keys.ts';

/**
 * The embedded cache is capped in bytes, oldest first (model-inference section 6). Counting a cache of gigabytes each
 * minute would read all of it, so what was stored is journalled: one record for some hundreds of answers, and one sum.
 * An answer whose process was killed before it was journalled is not counted; it ends with its 30 days.
 */

const AGE = 'CACHE#AGE';
const TOTAL = { pk: 'CACHE#SIZE', sk: 'TOTAL' };
const MAX_ENTRIES = 256;
export const DEFAULT_CACHE_BYTES = 5 * 2 ** 30;

type Entry = [key: string, bytes: number, artifact: 0 | 1];

interface Source {
  records: Records;
  artifacts: Artifacts;
  clock: Clock;
}

/** What this process has cached and not written down yet. */
export class CacheJournal {
  readonly #runtime: Source & { ids: Ids };
  #entries: Entry[] = [];

  constructor(runtime: Source & { ids: Ids }) {
    this.#runtime = runtime;
  }

  /** Notes a stored answer of so many bytes. */
  async note(key: string, bytes: number, inArtifact: boolean): Promise<void> {
    this.#entries.push([key, bytes, inArtifact ? 1 : 0]);
    if (this.#entries.length >= MAX_ENTRIES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#entries.length === 0) return;
    const { records, clock, ids } = this.#runtime;
    const entries = this.#entries;
    this.#entries = [];
    const bytes = entries.reduce((sum, [, size]) => sum + size, 0);
    try {
      const sk = `${isoTime(clock.now())}#${ids.hex(64)}`;
      await records.put({ pk: AGE, sk, attributes: { bytes, entries: entries as unknown as Json } });
      await records.update(TOTAL, { add: { bytes } });
    } catch (error) {
      // Bookkeeping: no call fails for it. What is not written now stays uncounted.
      if (!isError(error, 'StorageUnavailable')) throw error;
    }
  }
}

/** The cap that the environment sets, in bytes. @throws InvalidInput for anything but a whole number. */
export function cacheCapOf(env: Readonly<Record<string, string | undefined>>): number {
  const text = env.AGENTMILL_CACHE_MAX_BYTES;
  if (text === undefined || text === '') return DEFAULT_CACHE_BYTES;
  if (!/^\d{1,15}$/.test(text)) {
    throw invalidInput(
      `AGENTMILL_CACHE_MAX_BYTES is ${JSON.stringify(text)}: give whole bytes, such as 1073741824.`,
    );
  }
  return Number(text);
}

/** Removes the oldest answers until the cache is within its cap; returns how many. Cheap where nothing is over. */
export async function trimCache(runtime: Source, maxBytes: number): Promise<number> {
  const { records, clock } = runtime;
  const expiredBefore = isoTime(clock.now() - TTL_SECONDS * 1000);
  let total = Number((await records.get(TOTAL))?.attributes.bytes ?? 0);
  let removed = 0;
  for (;;) {
    const [oldest] = (await records.query({ pk: AGE, limit: 1 })).items;
    if (!oldest) return removed;
    const expired = oldest.sk < expiredBefore;
    if (!expired && total <= maxBytes) return removed;
    removed += await removeEntries(runtime, oldest, expired);
    const bytes = Number(oldest.attributes.bytes);
    total -= bytes;
    try {
      await records.delete(oldest, { ifVersion: oldest.version });
      await records.update(TOTAL, { add: { bytes: -bytes } });
    } catch (error) {
      // Another sweep was here first, and has subtracted it.
      if (!isError(error, 'Conflict')) throw error;
    }
  }
}

/** @param expired answers that a refresh has renewed since stay. */
async function removeEntries(
  { records, artifacts }: Source,
  item: RecordItem,
  expired: boolean,
): Promise<number> {
  let removed = 0;
  for (const [key, , inArtifact] of item.attributes.entries as unknown as Entry[]) {
    if (expired && (await records.get(recordKey(key)))) continue;
    await records.delete(recordKey(key));
    if (inArtifact) await artifacts.delete(artifactKey(key));
    removed++;
  }
  return removed;
}
