import { MAX_REQUEST_LINE_BYTES } from '#shared/models/request-schema.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { averageLinkage } from '#shared/text/clustering.ts';
import { seedClusters, seedGroups } from '../builtin/seed-clusters.ts';
import { keys } from '../keys.ts';
import { seedClustersRole, SeedClustersOutput, type SeedClustersInput } from '../roles/seed-clusters.ts';
import { topicTool } from '../roles/topics.ts';
import { preparedBatches, readBatch, writeSegments, type PlacedCard } from './batches.ts';
import {
  answersOf,
  describedCentroids,
  memberCentroid,
  planRequests,
  readProblems,
  unusable,
  writeProblems,
  writeTree,
  type Answered,
  type ClusteringScope,
  type Planned,
} from './store.ts';
import {
  applyTree,
  emptyTree,
  leavesOf,
  ROOT,
  treeRejects,
  type TopicTree,
  type TreeOperation,
} from './tree.ts';

/** R(seed-clusters): the first tree, from a sample; a seed that is bad three times gives way to the builtin tree. */

export const SEED_TRIES = 3;
const BYTES_A_MERGE = 32;

export async function planSeed(scope: ClusteringScope, attempt: number): Promise<Planned> {
  const { config } = scope;
  await preparedBatches(scope);
  const seed = withinBytes(await readBatch(scope, 0));
  const merges = averageLinkage(seed.map(({ vector }) => vector));
  const feedback = attempt === 1 ? [] : await readProblems(scope, `seed-${attempt - 1}`);
  const input: SeedClustersInput = {
    depth: config.input.tree.depth,
    tools: seed.map(({ card }) => topicTool(card)),
    ...(feedback.length > 0 ? { feedback } : {}),
    analysis: { merges: merges.map(({ a, b, height }) => [a, b, Math.round(height * 1e6) / 1e6]) },
  };
  return planRequests(scope, seedClustersRole, 'seed-clusters', `seed-${attempt}`, [
    { id: `seed-${attempt}`, input },
  ]);
}

/** As many as one request takes; the others are assigned like all that are no part of the seed. */
export function withinBytes(seed: PlacedCard[]): PlacedCard[] {
  let left = MAX_REQUEST_LINE_BYTES / 2;
  const most = seed.findIndex(({ card }) => {
    // Once as input and once, shorter, as text; and what joined it in the linkage.
    left -= Buffer.byteLength(JSON.stringify(topicTool(card))) + BYTES_A_MERGE;
    return left < 0;
  });
  return most < 0 ? seed : seed.slice(0, most);
}

export interface Seeded {
  /** Another try is due. */
  more: boolean;
  try: number;
  origin?: TopicTree['origin'];
  leaves: number;
  refused: number;
  updates: number;
  segments: number;
}

export async function applySeed(
  scope: ClusteringScope,
  attempt: number,
  answered: Answered,
): Promise<Seeded> {
  const { config, ctx } = scope;
  const [answer] = await answersOf<SeedClustersInput>(scope, answered);
  const { input, result } = answer!;
  const parsed = result?.status === 'ok' ? SeedClustersOutput.safeParse(result.output) : undefined;
  const origin = result?.provider === 'builtin' ? 'builtin' : 'model';
  let made = build(input, parsed?.success ? parsed.data.clusters : [], origin);
  await writeJsonl(
    ctx.artifacts,
    keys.rejects(config.jobId, 'seed-clusters', attempt),
    treeRejects(made.refused, 'seed-clusters', attempt, answered.results.key),
  );
  if (!made.good) {
    if (attempt < SEED_TRIES) {
      const reasons = made.refused.map(({ operation, reason }) => `${operation.id}: ${reason}`);
      await writeProblems(scope, `seed-${attempt}`, parsed?.success ? reasons : [unusable(result)]);
      return {
        more: true,
        try: attempt + 1,
        leaves: 0,
        refused: made.refused.length,
        updates: 0,
        segments: 0,
      };
    }
    ctx.log.warn('The seeds of the topic tree were bad three times; the builtin algorithm makes it.');
    made = build(input, seedClusters(input).clusters, 'fallback');
  }
  const { tree } = made;
  const centroids =
    tree.origin === 'model'
      ? await describedCentroids(tree.nodes.filter(({ id }) => id !== ROOT))
      : await groupCentroids(scope, input);
  await writeTree(scope, tree, centroids);
  const updates = await preparedBatches(scope);
  const segments = await writeSegments(scope, updates);
  return {
    more: false,
    try: attempt,
    origin: tree.origin,
    leaves: leavesOf(tree).length,
    refused: made.refused.length,
    updates,
    segments,
  };
}

/** A seed is good when a leaf stands, and at least half of what was proposed. */
function build(
  input: SeedClustersInput,
  clusters: readonly { id: string; level: number; parent: string | null; description: string }[],
  origin: TopicTree['origin'],
) {
  const operations: TreeOperation[] = clusters.map(({ id, level, parent, description }) => ({
    type: 'ADD_NODE',
    id,
    level,
    parent,
    description,
  }));
  const toolNames = new Set(input.tools.map(({ name }) => name));
  const { tree, refused } = applyTree(emptyTree(input.depth, origin), operations, toolNames);
  return { tree, refused, good: leavesOf(tree).length > 0 && refused.length * 2 <= operations.length };
}

async function groupCentroids(
  scope: ClusteringScope,
  input: SeedClustersInput,
): Promise<Map<string, Float32Array>> {
  const seed = await readBatch(scope, 0);
  return new Map(
    seedGroups(input).map(({ id, members }) => [
      id,
      memberCentroid(members.map((member) => seed[member]!.vector)),
    ]),
  );
}
