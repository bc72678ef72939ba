import { writeJsonl } from '#shared/storage/jsonl.ts';
import { averageLinkage, cutTree } from '#shared/text/clustering.ts';
import { vectorIndex } from '#shared/text/vector-index.ts';
import { dot, matrixOf } from '#shared/text/vectors.ts';
import { SENTENCE_ENCODER } from '#shared/text/encoder.ts';
import { addedGroups } from '../builtin/update-clusters.ts';
import { keys } from '../keys.ts';
import type { ClusterNode } from '../records.ts';
import {
  UpdateClustersOutput,
  updateClustersRole,
  type UpdateClustersInput,
} from '../roles/update-clusters.ts';
import { topicTool } from '../roles/topics.ts';
import { readBatch, type PlacedCard } from './batches.ts';
import {
  answersOf,
  describedCentroids,
  memberCentroid,
  planRequests,
  readProblems,
  readTree,
  treeAt,
  unusable,
  writeProblems,
  writeTree,
  type Answered,
  type ClusteringScope,
  type PlacedTree,
  type Planned,
} from './store.ts';
import { cutsOf, FITS } from './thresholds.ts';
import { applyTree, isLeaf, leavesOf, ROOT, treeRejects } from './tree.ts';

/** R(update-clusters): update n takes the tree from version n-1 to n with batch n. */

export const UPDATE_TRIES = 3;

export async function planUpdate(scope: ClusteringScope, update: number, attempt: number): Promise<Planned> {
  const name = `update-${update}-${attempt}`;
  // A resumed segment passes over versions that are there.
  if (await readTree(scope, update))
    return planRequests(scope, updateClustersRole, 'update-clusters', name, []);
  const placed = await treeAt(scope, update - 1);
  const batch = await readBatch(scope, update);
  const feedback = attempt === 1 ? [] : await readProblems(scope, `update-${update}-${attempt - 1}`);
  const input: UpdateClustersInput = {
    depth: placed.tree.depth,
    tree: placed.tree.nodes.map(({ id, parent, level, description }) => ({ id, parent, level, description })),
    tools: batch.map(({ card }) => topicTool(card)),
    ...(feedback.length > 0 ? { feedback } : {}),
    analysis: { groups: unfitGroups(placed, batch) },
  };
  return planRequests(scope, updateClustersRole, 'update-clusters', name, [{ id: name, input }]);
}

/**
 * The tools further than 0.45 from every leaf's centroid, clustered like the seed's leaves, each group with the deepest
 * topic it would have been part of: one whose centroid is nearer than the distance that topics of its level are cut at.
 */
export function unfitGroups(
  { tree, centroids }: PlacedTree,
  batch: readonly PlacedCard[],
): UpdateClustersInput['analysis']['groups'] {
  const leaves = leafIndex({ tree, centroids });
  const unfit = batch.flatMap(({ vector }, index) => {
    const [nearest] = leaves.search(vector, 1);
    return nearest && 1 - nearest.score <= FITS ? [] : [{ number: index + 1, vector }];
  });
  const merges = averageLinkage(unfit.map(({ vector }) => vector));
  const cuts = cutsOf(tree.depth);
  const topics = tree.nodes.filter((node) => node.id !== ROOT && !isLeaf(node) && node.level < tree.depth);
  return cutTree(merges, unfit.length, cuts.at(-1)!).map((members) => {
    const direction = memberCentroid(members.map((member) => unfit[member]!.vector));
    return {
      parent: deepestTopic(topics, centroids, direction, cuts),
      tools: members.map((member) => unfit[member]!.number),
    };
  });
}

function deepestTopic(
  topics: readonly ClusterNode[],
  centroids: ReadonlyMap<string, Float32Array>,
  direction: Float32Array,
  cuts: readonly number[],
): string {
  const near = topics
    .map(({ id, level }) => ({ id, level, distance: 1 - dot(direction, centroids.get(id)!) }))
    .filter(({ level, distance }) => distance <= cuts[level - 2]!)
    .sort((a, b) => b.level - a.level || a.distance - b.distance || (a.id < b.id ? -1 : 1));
  return near[0]?.id ?? ROOT;
}

export function leafIndex({ tree, centroids }: PlacedTree) {
  const ids = leavesOf(tree).map(({ id }) => id);
  const { dims } = SENTENCE_ENCODER;
  return vectorIndex(
    ids,
    matrixOf(
      ids.map((id) => centroids.get(id)!),
      dims,
    ),
    dims,
  );
}

export interface Updated {
  /** Another try or another update of the segment is due. */
  more: boolean;
  update: number;
  try: number;
  refused: number;
}

export async function applyUpdate(
  scope: ClusteringScope,
  event: { update: number; until: number; try: number },
  answered: Answered,
): Promise<Updated> {
  const { ctx, config } = scope;
  const { update, until } = event;
  const next = { more: update < until, update: update + 1, try: 1 };
  if (await readTree(scope, update)) return { ...next, refused: 0 };
  const [answer] = await answersOf<UpdateClustersInput>(scope, answered);
  const { input, result } = answer!;
  const parsed = result?.status === 'ok' ? UpdateClustersOutput.safeParse(result.output) : undefined;
  if (!parsed?.success && event.try < UPDATE_TRIES) {
    await writeProblems(scope, `update-${update}-${event.try}`, [unusable(result)]);
    return { more: true, update, try: event.try + 1, refused: 0 };
  }
  // Three unusable replies: the tree stays, and the tools find the leaves that there are.
  const operations = parsed?.success ? parsed.data.operations : [];
  const before = await treeAt(scope, update - 1);
  const toolNames = new Set(input.tools.map(({ name }) => name));
  const { tree, refused } = applyTree(before.tree, operations, toolNames);
  const described = new Map(before.tree.nodes.map(({ id, description }) => [id, description]));
  const changed = tree.nodes.filter(({ id, description }) => described.get(id) !== description);
  const fresh =
    result?.provider === 'builtin'
      ? await groupCentroids(scope, update, input)
      : await describedCentroids(changed);
  await writeJsonl(
    ctx.artifacts,
    keys.rejects(config.jobId, 'update-clusters', update),
    treeRejects(refused, 'update-clusters', event.try, answered.results.key),
  );
  await writeTree(scope, { ...tree, version: update }, new Map([...before.centroids, ...fresh]));
  return { ...next, refused: refused.length };
}

async function groupCentroids(
  scope: ClusteringScope,
  update: number,
  input: UpdateClustersInput,
): Promise<Map<string, Float32Array>> {
  const batch = await readBatch(scope, update);
  return new Map(
    addedGroups(input).map(({ id, tools }) => [
      id,
      memberCentroid(tools.map((number) => batch[number - 1]!.vector)),
    ]),
  );
}
