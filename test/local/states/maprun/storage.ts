import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from '#shared/storage/embedded/index.ts';
import type { Artifacts, Json } from '#shared/storage/ports.ts';
import { openItems, type Item, type ReaderCursor, type ReaderOptions } from '#local/states/maprun/index.ts';

/** Embedded buckets in a temporary directory. */
export interface Buckets {
  artifactsOf: (bucket: string) => Artifacts;
  put(key: string, body: string | Uint8Array): Promise<void>;
  text(key: string): Promise<string>;
  close(): Promise<void>;
}

export const BUCKET = 'data';

export async function openBuckets(): Promise<Buckets> {
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-maprun-'));
  const embedded = openEmbedded({ dataDir: dir });
  const artifacts = embedded.artifacts(BUCKET);
  return {
    artifactsOf: (bucket) => embedded.artifacts(bucket),
    put: async (key, body) => void (await artifacts.put(key, body)),
    async text(key) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of (await artifacts.get(key)).body) chunks.push(chunk);
      return Buffer.concat(chunks).toString('utf8');
    },
    async close() {
      await embedded.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export const getObject = (more: Partial<ReaderOptions>): ReaderOptions => ({
  resource: 's3:getObject',
  ...more,
});
export const listObjects = (more: Partial<ReaderOptions> = {}): ReaderOptions => ({
  resource: 's3:listObjectsV2',
  ...more,
});

export async function readAll(
  buckets: Buckets,
  options: ReaderOptions,
  evaluated: Json,
  cursor?: ReaderCursor,
): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of openItems(options, evaluated, buckets.artifactsOf, cursor)) items.push(item);
  return items;
}

/** A body in pieces of a few bytes, so that every boundary falls somewhere. */
export async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
