import { requestFor, type Role } from '#shared/models/role.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { jsonIfAny, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { defect, isError } from '#shared/task/errors.ts';
import { sentenceEncoder } from '#shared/text/encoder.ts';
import { centroid } from '#shared/text/vectors.ts';
import type { ToolLibraryConfig } from '../config.ts';
import type { RoleKey } from '../input.ts';
import { allRows } from '../io.ts';
import { keys, partName } from '../keys.ts';
import type { ClusterNode } from '../records.ts';
import { wellFormed } from '#shared/determinism/well-formed.ts';
import { readMatrix, writeMatrix } from './cards.ts';
import { leavesOf, ROOT, type TopicTree } from './tree.ts';

/** What the clustering stages read and write with. */
export interface ClusteringScope {
  ctx: Pick<TaskContext, 'artifacts' | 'jobs' | 'attempt' | 'log'>;
  config: ToolLibraryConfig;
}

/** A tree with the direction each of its nodes stands for. */
export interface PlacedTree {
  tree: TopicTree;
  centroids: ReadonlyMap<string, Float32Array>;
}

/** The requests of one R(role), and where inference leaves the answers. */
export interface Planned {
  requests: ArtifactRef;
  prefix: string;
  count: number;
}

/** What inference made of them. */
export interface Answered {
  requests: ArtifactRef;
  results: ArtifactRef;
}

const treeKey = (jobId: string, version: number): string => keys.tree(jobId, `${partName(version)}.json`);
const centroidsKey = (jobId: string, version: number): string => keys.tree(jobId, `${partName(version)}.f32`);

export async function readTree(
  { ctx, config }: ClusteringScope,
  version: number,
): Promise<PlacedTree | undefined> {
  const tree = await jsonIfAny<TopicTree>(ctx.artifacts, treeKey(config.jobId, version));
  if (!tree) return undefined;
  const vectors = await readMatrix(ctx.artifacts, centroidsKey(config.jobId, version));
  return { tree, centroids: new Map(tree.nodes.map(({ id }, index) => [id, vectors[index]!])) };
}

/** The tree of a version that must be there. */
export async function treeAt(scope: ClusteringScope, version: number): Promise<PlacedTree> {
  const placed = await readTree(scope, version);
  if (!placed) throw defect(`There is no topic tree of version ${version}.`);
  return placed;
}

/**
 * Writes a version of the tree where there is none: of two that race, the first holds.
 * The centroids go first, so that a tree that is there is whole.
 */
export async function writeTree(
  { ctx, config }: ClusteringScope,
  tree: TopicTree,
  centroids: ReadonlyMap<string, Float32Array>,
): Promise<void> {
  const { artifacts } = ctx;
  if (await jsonIfAny(artifacts, treeKey(config.jobId, tree.version))) return;
  const ofLeaves = leavesOf(tree).map(({ id }) => centroids.get(id)!);
  const root = centroid(ofLeaves) ?? ofLeaves[0]!;
  const rows = tree.nodes.map(({ id }) => (id === ROOT ? root : centroids.get(id)!));
  await writeMatrix(artifacts, centroidsKey(config.jobId, tree.version), rows);
  try {
    await writeJson(artifacts, treeKey(config.jobId, tree.version), tree, { ifAbsent: true });
  } catch (error) {
    if (!isError(error, 'Conflict')) throw error;
  }
}

/** Directions of nodes by what they say of themselves: for those whose tools are not known. */
export async function describedCentroids(nodes: readonly ClusterNode[]): Promise<Map<string, Float32Array>> {
  if (nodes.length === 0) return new Map();
  const encoder = await sentenceEncoder();
  const vectors = await encoder.embed(nodes.map(({ name, description }) => `${name}. ${description}`));
  return new Map(nodes.map(({ id }, index) => [id, vectors[index]!]));
}

/** Directions of groups by their tools. Tools that cancel each other out leave the first one's. */
export const memberCentroid = (vectors: readonly Float32Array[]): Float32Array =>
  centroid(vectors) ?? vectors[0]!;

/** Writes the requests of a role for one child execution. `name` is unique in the job. */
export async function planRequests<Input>(
  { ctx, config }: ClusteringScope,
  role: Role<Input, never> | Role<Input, unknown>,
  key: RoleKey,
  name: string,
  inputs: readonly { id: string; input: Input }[],
): Promise<Planned> {
  const prefix = keys.tree(config.jobId, `${name}-${ctx.attempt}`);
  const requests = inputs.map(({ id, input }) =>
    wellFormed(
      requestFor(role as Role<Input, unknown>, input, { id: `${id}:${key}`, model: config.models[key] }),
    ),
  );
  const ref = await writeJsonl(ctx.artifacts, `${prefix}/requests.jsonl`, requests);
  return { requests: ref, prefix, count: requests.length };
}

/** Requests with what came of them, in the order they were asked. */
export async function answersOf<Input>(
  { ctx }: ClusteringScope,
  answered: Answered,
): Promise<{ input: Input; result: InferResult | undefined }[]> {
  const results = new Map<string, InferResult>();
  for (const result of await allRows<InferResult>(ctx.artifacts, answered.results)) {
    // A second pass over failures appends its answer after the first one's.
    const known = results.get(result.id);
    if (!known || known.status === 'failed') results.set(result.id, result);
  }
  const requests = await allRows<InferRequest>(ctx.artifacts, answered.requests);
  return requests.map(({ id, input }) => ({ input: input as Input, result: results.get(id) }));
}

/** Why an answer cannot be used, in words a model can act on. */
export const unusable = (result: InferResult | undefined): string =>
  result?.error ? `Your reply could not be used: ${result.error.message}` : 'There was no reply.';

/** Problems of one try, for the next. */
export const problemsKey = (jobId: string, name: string): string => keys.tree(jobId, `${name}-problems.json`);

export const readProblems = async ({ ctx, config }: ClusteringScope, name: string): Promise<string[]> =>
  (await jsonIfAny<string[]>(ctx.artifacts, problemsKey(config.jobId, name))) ?? [];

export const writeProblems = async (
  { ctx, config }: ClusteringScope,
  name: string,
  problems: readonly string[],
): Promise<void> => {
  await writeJson(ctx.artifacts, problemsKey(config.jobId, name), problems);
};
