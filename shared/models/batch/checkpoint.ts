import { sha256Hex } from '#shared/determinism/hash.ts';
import type { ArtifactRef, Json, RecordItem, Records } from '#shared/storage/ports.ts';
import { isError, storageUnavailable } from '#shared/task/errors.ts';

/** Counts of a batch's results. `cached` of them were answered from the cache. */
export interface BatchCounts {
  total: number;
  ok: number;
  rejected: number;
  failed: number;
  cached: number;
}

export interface BatchOutput {
  results: ArtifactRef;
  rejects: ArtifactRef;
  counts: BatchCounts;
  costMicros: number;
  done: boolean;
}

/** What a batch returns that goes on in another task: nothing is there to read yet. */
export function unfinished(prefix: string, counts: BatchCounts, costMicros: number): BatchOutput {
  const empty = (name: string): ArtifactRef => ({
    key: `${prefix}/${name}`,
    sha256: sha256Hex(''),
    bytes: 0,
    count: 0,
  });
  return {
    results: empty('results.jsonl'),
    rejects: empty('rejects.jsonl'),
    counts,
    costMicros,
    done: false,
  };
}

/** How far a batch has come: the first `nextLine` requests are answered and their results stored in parts. */
export interface CheckpointState {
  nextLine: number;
  /** Lines of each part in order, run-length encoded: `[[50, 19], [37, 1]]`. */
  parts: [size: number, times: number][];
  counts: BatchCounts;
  costMicros: number;
  /** All requests have been read. */
  read: boolean;
  output?: BatchOutput;
}

const EMPTY: CheckpointState = {
  nextLine: 0,
  parts: [],
  counts: { total: 0, ok: 0, rejected: 0, failed: 0, cached: 0 },
  costMicros: 0,
  read: false,
};

/**
 * The checkpoint of one batch: of a request file under a prefix. Its opener owns it; a second delivery of the same
 * task takes it over, and the first one's next write is refused.
 */
export class Checkpoint {
  readonly #records: Records;
  readonly #key: { pk: string; sk: string };
  #version: number;
  state: CheckpointState;

  private constructor(records: Records, key: { pk: string; sk: string }, item: RecordItem) {
    this.#records = records;
    this.#key = key;
    this.#version = item.version;
    this.state = item.attributes.state as unknown as CheckpointState;
  }

  /** Opens it and takes it over. */
  static async open(
    records: Records,
    batch: { jobId: string; prefix: string; requests: ArtifactRef },
    owner: string,
  ): Promise<Checkpoint> {
    const name = sha256Hex(`${batch.prefix}\n${batch.requests.key}\n${batch.requests.sha256}`).slice(0, 32);
    const key = { pk: `CHECKPOINT#${batch.jobId}#${name}`, sk: 'STATE' };
    for (;;) {
      const found = await records.get(key);
      const state = (found?.attributes.state as unknown as CheckpointState | undefined) ?? EMPTY;
      try {
        const item = await records.put(
          { ...key, attributes: { state: state as unknown as Json, owner } },
          found ? { ifVersion: found.version } : { ifAbsent: true },
        );
        return new Checkpoint(records, key, item);
      } catch (error) {
        if (!isError(error, 'Conflict')) throw error;
      }
    }
  }

  /** @throws StorageUnavailable when another delivery of the task has taken over: this one stops, and may be retried. */
  async save(state: CheckpointState): Promise<void> {
    try {
      const item = await this.#records.put(
        { ...this.#key, attributes: { state: state as unknown as Json } },
        { ifVersion: this.#version },
      );
      this.#version = item.version;
      this.state = state;
    } catch (error) {
      if (!isError(error, 'Conflict')) throw error;
      throw storageUnavailable('Another delivery of this task has taken over its checkpoint.', {
        data: { superseded: true },
      });
    }
  }
}

/** The run-length list with one more part. */
export function withPart(parts: CheckpointState['parts'], size: number): CheckpointState['parts'] {
  const last = parts.at(-1);
  if (last?.[0] === size) return [...parts.slice(0, -1), [size, last[1] + 1]];
  return [...parts, [size, 1]];
}

/** Keys of the parts in order, named by their first line (from 0) and their number of lines. */
export function* partKeys(prefix: string, parts: CheckpointState['parts']): Generator<string> {
  let first = 0;
  for (const [size, times] of parts) {
    for (let i = 0; i < times; i++) {
      yield partKey(prefix, first, size);
      first += size;
    }
  }
}

export const partKey = (prefix: string, first: number, lines: number): string =>
  `${prefix}/part-${String(first).padStart(7, '0')}-${lines}.jsonl`;
