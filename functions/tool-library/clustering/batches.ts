import { jsonIfAny, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import { allRows } from '../io.ts';
import { keys, partName } from '../keys.ts';
import { cardParts, readCards, readMatrix, readVectors, writeMatrix, type ToolCard } from './cards.ts';
import { partitionTools } from './partition.ts';
import type { ClusteringScope } from './store.ts';

/** The shuffled tools as files: batch 0 is the seed, the others come to the tree one after the other. */

export interface PlacedCard {
  card: ToolCard;
  vector: Float32Array;
}

/** Batches that one child execution of UpdateTree works through: its history stays under the segment's cap. */
export const SEGMENT = 200;

const batchKey = (jobId: string, batch: number, suffix: string): string =>
  keys.tree(jobId, `batches/${partName(batch)}.${suffix}`);
const marker = (jobId: string): string => keys.tree(jobId, 'batches/index.json');

/** How many batches follow the seed. Partitions all embedded tools where that has not been done. */
export async function preparedBatches({ ctx, config }: ClusteringScope): Promise<number> {
  const { artifacts } = ctx;
  const { jobId, input } = config;
  const done = await jsonIfAny<{ batches: number }>(artifacts, marker(jobId));
  if (done) return done.batches;
  const all: { id: string; card: ToolCard; vector: Float32Array }[] = [];
  for (const { part } of await cardParts(artifacts, jobId)) {
    const vectors = await readVectors(artifacts, jobId, part);
    (await readCards(artifacts, jobId, part)).forEach((card, index) =>
      all.push({ id: card.id, card, vector: vectors[index]! }),
    );
  }
  const { seed, batches } = partitionTools(all, input.tree, input.seed);
  for (const [batch, items] of [seed, ...batches].entries()) {
    await writeJsonl(
      artifacts,
      batchKey(jobId, batch, 'jsonl'),
      items.map(({ card }) => card),
    );
    await writeMatrix(
      artifacts,
      batchKey(jobId, batch, 'f32'),
      items.map(({ vector }) => vector),
    );
  }
  await writeJson(artifacts, marker(jobId), { batches: batches.length });
  return batches.length;
}

export async function readBatch({ ctx, config }: ClusteringScope, batch: number): Promise<PlacedCard[]> {
  const cards = await allRows<ToolCard>(ctx.artifacts, batchKey(config.jobId, batch, 'jsonl'));
  const vectors = await readMatrix(ctx.artifacts, batchKey(config.jobId, batch, 'f32'));
  return cards.map((card, index) => ({ card, vector: vectors[index]! }));
}

/** Where the one-row index of a segment of updates is: `{update, until}`, from the first update to the last. */
export const segmentKey = (jobId: string, segment: number): string =>
  keys.tree(jobId, `segments/${segment}.jsonl`);

/** Writes the segments that UpdateTree's Choice loop maps over one by one; their number. */
export async function writeSegments({ ctx, config }: ClusteringScope, batches: number): Promise<number> {
  const segments = Math.ceil(batches / SEGMENT);
  for (let segment = 0; segment < segments; segment++) {
    const row = { update: segment * SEGMENT + 1, until: Math.min(batches, (segment + 1) * SEGMENT) };
    await writeJsonl(ctx.artifacts, segmentKey(config.jobId, segment), [row]);
  }
  return segments;
}
