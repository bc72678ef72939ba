import { canonicalJson, hashOf, sha256Hex } from '#shared/determinism/hash.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import type { Json, RecordItem } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { CacheEntry } from '../types.ts';
import { underLease } from './lease.ts';

/** Answers of tools that ask the web, kept for a time and asked for once (specification deep-research, section 6). */

export type CacheRuntime = Pick<Runtime, 'artifacts' | 'records' | 'clock' | 'ids'>;

export interface CachedCall {
  tool: string;
  /** Changes when the tool answers the same question otherwise. */
  version: number;
  arguments: Json;
  /** Whose answer it is: a provider or a corpus, and what else it depends on. */
  source: string;
  ttlSeconds: number;
}

export type ToolResult = { status: 'ok'; body: Json } | { status: 'blocked' };

export type KeptResult = ToolResult & {
  /** Where the body lies: a key by content, so that later answers do not change it. */
  bodyRef: string;
  cacheHit: boolean;
};

export const cacheKeyOf = ({ tool, version, arguments: args, source }: CachedCall): string =>
  hashOf({ tool, arguments: args, version, source });

/** Where a call's entry and lease lie. */
export const toolCallPk = (key: string): string => `TOOLCALL#${key}`;

/**
 * The kept answer of a call, else that of `work`, which runs once however many ask at the same time: the others wait.
 * An error of `work` is not kept; each caller that waited then tries for itself.
 */
export async function cached(
  runtime: CacheRuntime,
  call: CachedCall,
  work: () => Promise<ToolResult>,
  signal?: AbortSignal,
): Promise<KeptResult> {
  const key = cacheKeyOf(call);
  const pk = toolCallPk(key);
  const look = async (): Promise<KeptResult | undefined> => {
    const item = await runtime.records.get({ pk, sk: 'ENTRY' });
    return item && holds(item, runtime.clock.now()) ? read(runtime, item) : undefined;
  };
  return underLease(
    runtime,
    { pk, sk: 'LEASE' },
    look,
    async () => {
      const result = await work();
      const bodyRef = result.status === 'ok' ? await store(runtime, result.body) : '';
      const entry: CacheEntry = {
        key,
        bodyRef,
        status: result.status,
        fetchedAt: runtime.clock.now(),
        ttl: call.ttlSeconds,
      };
      await runtime.records.put({
        pk,
        sk: 'ENTRY',
        // Nested: `ttl` is the table's own at the top.
        attributes: { entry: entry as unknown as Json },
        ttl: Math.ceil(entry.fetchedAt / 1000) + call.ttlSeconds,
      });
      return { ...result, bodyRef, cacheHit: false };
    },
    signal,
  );
}

const entryOf = (item: RecordItem): CacheEntry => item.attributes.entry as unknown as CacheEntry;

const holds = (item: RecordItem, now: number): boolean => {
  const { fetchedAt, ttl } = entryOf(item);
  return ttl === undefined || now < fetchedAt + ttl * 1000;
};

/** Undefined where its body is gone: the call is made again. */
async function read({ artifacts }: CacheRuntime, item: RecordItem): Promise<KeptResult | undefined> {
  const { bodyRef, status } = entryOf(item);
  if (status === 'blocked') return { status, bodyRef, cacheHit: true };
  try {
    return { status, body: (await readJson(artifacts, bodyRef)) as Json, bodyRef, cacheHit: true };
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function store({ artifacts }: CacheRuntime, body: Json): Promise<string> {
  const text = canonicalJson(body);
  const key = `research/bodies/${sha256Hex(text)}.json`;
  // The same content wherever it comes from.
  await artifacts.put(key, text, { contentType: 'application/json' });
  return key;
}
