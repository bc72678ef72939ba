import type { Clock } from '#shared/determinism/clock.ts';
import type { Ids } from '#shared/determinism/ids.ts';
import type { GroupCommit } from '#shared/storage/group-commit.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import type { Artifacts, ConditionalPut, Json, RecordItem, Records } from '#shared/storage/ports.ts';
import { isError, type AgentmillError } from '#shared/task/errors.ts';
import type { InferResult, Usage } from '../types.ts';
import { CacheJournal } from './journal.ts';
import { artifactKey, recordKey, TTL_SECONDS } from './keys.ts';

/** Answers up to this size stay in the records; larger ones go to artifacts. */
const MAX_RECORD_BYTES = 32 * 1024;

/** An accepted answer without what belongs to one request: id, meta, key. */
export type CachedAnswer = Pick<
  InferResult,
  'finish' | 'text' | 'reasoning' | 'output' | 'toolCalls' | 'repairs' | 'model' | 'provider' | 'tokens'
>;

export interface CacheEntry {
  answer: CachedAnswer;
  usage: Usage;
  /** What it cost when it was made: what a hit saves. */
  costMicros: number;
}

/** An answer in an artifact, with the second since the epoch until which it holds. */
type Body = CacheEntry & { until?: number };

const entryIn = ({ answer, usage, costMicros }: Body): CacheEntry => ({ answer, usage, costMicros });

/** How an accepted answer is kept. */
export interface Keeping {
  /** What stores it; nothing where it is not cached. */
  put?: ConditionalPut;
  /** The answer that stands when `put` was written, or refused by an earlier one. */
  stands(refused?: AgentmillError): Promise<CacheEntry>;
}

interface Source {
  records: Records;
  artifacts: Artifacts;
  clock: Clock;
  ids: Ids;
  kind?: 'aws' | 'embedded';
}

/**
 * Answers by the key of model-inference section 6. Only validated `ok` answers are stored; the first writer wins.
 * Entries live 30 days.
 */
export class AnswerCache {
  readonly #runtime: Source;
  readonly #commits: Pick<GroupCommit, 'put'>;
  readonly #journal: CacheJournal | undefined;

  /** @param commits where records are written together with others. */
  constructor(runtime: Source, commits: Pick<GroupCommit, 'put'> = runtime.records) {
    this.#runtime = runtime;
    this.#commits = commits;
    // On AWS time to live and lifecycle rules bound the cache.
    if (runtime.kind === 'embedded') this.#journal = new CacheJournal(runtime);
  }

  async get(key: string): Promise<CacheEntry | undefined> {
    const item = await this.#runtime.records.get(recordKey(key));
    return item && this.#entryOf(item, key);
  }

  /** Writes down what was stored, for the cap of the embedded platform. */
  async flush(): Promise<void> {
    await this.#journal?.flush();
  }

  /** Stores an answer and returns the one that stands: this one, or an earlier writer's. */
  async put(key: string, entry: CacheEntry, overwrite: boolean): Promise<CacheEntry> {
    const { put, stands } = await this.prepare(key, entry, overwrite);
    try {
      await this.#commits.put(put.item, put.options);
      return await stands();
    } catch (error) {
      if (!isError(error, 'Conflict')) throw error;
      return stands(error);
    }
  }

  /** What stores an answer, to be written together with other records. A large answer's artifact is written now. */
  async prepare(
    key: string,
    entry: CacheEntry,
    overwrite: boolean,
  ): Promise<Keeping & { put: ConditionalPut }> {
    const text = JSON.stringify(entry);
    const large = text.length > MAX_RECORD_BYTES / 4 && Buffer.byteLength(text) > MAX_RECORD_BYTES;
    const ttl = Math.floor(this.#runtime.clock.now() / 1000) + TTL_SECONDS;
    const kept = large ? await this.#putBody(key, { ...entry, until: ttl }, overwrite) : entry;
    const attributes = large ? { artifact: artifactKey(key) } : { entry: entry as unknown as Json };
    return {
      put: { item: { ...recordKey(key), attributes, ttl }, options: overwrite ? {} : { ifAbsent: true } },
      stands: async (refused) => {
        const current = refused?.data.current as RecordItem | null | undefined;
        if (!refused) await this.#journal?.note(key, text.length, large);
        return (current && (await this.#entryOf(current, key))) ?? kept;
      },
    };
  }

  /** Writes a body, unless one stands that still holds. An expired record may leave its body behind. */
  async #putBody(key: string, body: Body, overwrite: boolean): Promise<CacheEntry> {
    const { artifacts, clock } = this.#runtime;
    const put = async (options: { ifAbsent?: true }): Promise<CacheEntry> => {
      await artifacts.put(artifactKey(key), JSON.stringify(body), {
        contentType: 'application/json',
        ...options,
      });
      return entryIn(body);
    };
    if (overwrite) return put({});
    try {
      return await put({ ifAbsent: true });
    } catch (error) {
      if (!isError(error, 'Conflict')) throw error;
      const standing = await this.#body(key);
      const holds = standing && (standing.until ?? Infinity) * 1000 > clock.now();
      return holds ? entryIn(standing) : put({});
    }
  }

  /** Undefined where a lifecycle rule has taken it. */
  async #body(key: string): Promise<Body | undefined> {
    try {
      return (await readJson(this.#runtime.artifacts, artifactKey(key))) as Body;
    } catch (error) {
      if (isError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async #entryOf(item: RecordItem, key: string): Promise<CacheEntry | undefined> {
    if (item.attributes.entry) return item.attributes.entry as unknown as CacheEntry;
    // Without a body the call is made again.
    const body = await this.#body(key);
    return body && entryIn(body);
  }
}
