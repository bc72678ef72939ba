import { jsonIfAny, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import { toolsAt } from '../indices.ts';
import { keys, partName } from '../keys.ts';
import type { Reject } from '../records.ts';
import {
  AssignClustersOutput,
  assignClustersRole,
  type AssignClustersInput,
} from '../roles/assign-clusters.ts';
import { topicTool } from '../roles/topics.ts';
import { readCards, readVectors, type CardPart, type ToolCard } from './cards.ts';
import {
  answersOf,
  planRequests,
  treeAt,
  unusable,
  type Answered,
  type ClusteringScope,
  type Planned,
} from './store.ts';
import { leavesOf, pathOf, UNASSIGNED } from './tree.ts';
import { leafIndex } from './update.ts';

/** R(assign-clusters) over parts of the tools: 20 a request, one retry for those without a valid leaf. */

export const ASSIGN_TRIES = 2;
const TOOLS = 20;

/** Where the tools of a part are, and which are still without a leaf. */
export interface Assigned {
  /** `[toolId, leafId]`. */
  placed: [string, string][];
  open: string[];
  problems: string[];
}

/** Every try has its own file, so that a try that is delivered twice does the same twice. */
const assignedKey = (jobId: string, part: number, attempt: number): string =>
  keys.tree(jobId, `assigned/${partName(part)}-${attempt}.json`);

const readTry = (
  { ctx, config }: ClusteringScope,
  part: number,
  attempt: number,
): Promise<Assigned | undefined> =>
  jsonIfAny<Assigned>(ctx.artifacts, assignedKey(config.jobId, part, attempt));

/** Where the tools of a part ended; undefined where AssignTools has not been there. */
export async function readAssigned(
  scope: ClusteringScope,
  part: number,
): Promise<Assigned['placed'] | undefined> {
  const first = await readTry(scope, part, 1);
  if (!first || first.open.length === 0) return first?.placed;
  return (await readTry(scope, part, ASSIGN_TRIES))?.placed;
}

/** @param version of the finished tree. */
export async function planAssign(
  scope: ClusteringScope,
  version: number,
  items: readonly CardPart[],
  attempt: number,
): Promise<Planned> {
  const placed = await treeAt(scope, version);
  const leaves = leavesOf(placed.tree).map(({ id, description }) => ({
    id,
    path: pathOf(placed.tree, id).join(' / '),
    description,
  }));
  const index = leafIndex(placed);
  const inputs: { id: string; input: AssignClustersInput }[] = [];
  for (const { part } of items) {
    const tools = await openTools(scope, part, attempt);
    for (let from = 0; from < tools.length; from += TOOLS) {
      const group = tools.slice(from, from + TOOLS);
      const problems = group[0]!.problems;
      inputs.push({
        id: `assign-${partName(part)}-${from / TOOLS}-${attempt}`,
        input: {
          leaves,
          tools: group.map(({ card }) => topicTool(card)),
          ...(problems.length > 0 ? { feedback: problems } : {}),
          analysis: { nearest: group.map(({ vector }) => index.search(vector, 1)[0]!.id) },
        },
      });
    }
  }
  return planRequests(scope, assignClustersRole, 'assign-clusters', assignName(items, attempt), inputs);
}

const assignName = (items: readonly CardPart[], attempt: number): string =>
  `assign-${partName(items[0]!.part)}-${attempt}`;

interface OpenTool {
  card: ToolCard;
  vector: Float32Array;
  problems: string[];
}

/** The tools of a part that a try is about, in the order of the cards: all of them, then those left open. */
async function openTools(scope: ClusteringScope, part: number, attempt: number): Promise<OpenTool[]> {
  const { ctx, config } = scope;
  const cards = await readCards(ctx.artifacts, config.jobId, part);
  const vectors = await readVectors(ctx.artifacts, config.jobId, part);
  const before = attempt === 1 ? undefined : await readTry(scope, part, attempt - 1);
  const open = before && new Set(before.open);
  return cards.flatMap((card, index) =>
    !open || open.has(card.id) ? [{ card, vector: vectors[index]!, problems: before?.problems ?? [] }] : [],
  );
}

/**
 * Which tools an answer places. One is placed by exactly one mention of its number with the id of a leaf; the rest stay
 * open, with the reasons in words.
 */
export function placeTools(
  ids: readonly string[],
  leaves: ReadonlySet<string>,
  assignments: readonly { index: number; leafId: string }[],
): Assigned {
  const problems: string[] = [];
  const numbers = toolsAt(
    assignments.map(({ index }) => index),
    ids,
  );
  const repeated = new Set(numbers.repeated);
  for (const number of numbers.unknown) problems.push(`There is no tool ${number}.`);
  for (const number of repeated) problems.push(`Tool ${number} has more than one leaf.`);
  const leafOf = new Map<number, string>();
  for (const { index, leafId } of assignments) {
    if (repeated.has(index) || ids[index - 1] === undefined) continue;
    if (leaves.has(leafId)) leafOf.set(index, leafId);
    else problems.push(`Tool ${index}: "${leafId.slice(0, 64)}" is no leaf of the tree.`);
  }
  const named = new Set(assignments.map(({ index }) => index));
  const placed: [string, string][] = [];
  const open: string[] = [];
  ids.forEach((id, place) => {
    const leaf = leafOf.get(place + 1);
    if (leaf !== undefined) placed.push([id, leaf]);
    else open.push(id);
    if (!named.has(place + 1)) problems.push(`Tool ${place + 1} has no leaf.`);
  });
  return { placed, open, problems };
}

export interface AssignDone {
  /** A second try is due for the open ones. */
  more: boolean;
  try: number;
  assigned: number;
  open: number;
}

export async function applyAssign(
  scope: ClusteringScope,
  version: number,
  items: readonly CardPart[],
  attempt: number,
  answered: Answered,
): Promise<AssignDone> {
  const { ctx, config } = scope;
  const { tree } = await treeAt(scope, version);
  const leaves = new Set(leavesOf(tree).map(({ id }) => id));
  const answers = await answersOf<AssignClustersInput>(scope, answered);
  const totals = { assigned: 0, open: 0 };
  let next = 0;
  for (const { part } of items) {
    const tools = await openTools(scope, part, attempt);
    const earlier = attempt === 1 ? undefined : await readTry(scope, part, attempt - 1);
    const assigned: Assigned = { placed: [...(earlier?.placed ?? [])], open: [], problems: [] };
    for (let from = 0; from < tools.length; from += TOOLS) {
      const ids = tools.slice(from, from + TOOLS).map(({ card }) => card.id);
      const result = answers[next++]?.result;
      const parsed = result?.status === 'ok' ? AssignClustersOutput.safeParse(result.output) : undefined;
      const outcome = placeTools(ids, leaves, parsed?.success ? parsed.data.assignments : []);
      assigned.placed.push(...outcome.placed);
      assigned.open.push(...outcome.open);
      assigned.problems.push(...(parsed?.success ? outcome.problems : [unusable(result)]));
    }
    const last = attempt >= ASSIGN_TRIES;
    if (last) {
      await writeJsonl(
        ctx.artifacts,
        keys.rejects(config.jobId, 'assign-clusters', part),
        unassigned(assigned, assignedKey(config.jobId, part, attempt)),
      );
      assigned.placed.push(...assigned.open.map((id): [string, string] => [id, UNASSIGNED]));
    }
    await writeJson(ctx.artifacts, assignedKey(config.jobId, part, attempt), assigned);
    if (last || assigned.open.length === 0)
      await ctx.jobs.advance(config.jobId, 'AssignTools', partName(part), assigned.placed.length);
    totals.assigned += assigned.placed.length;
    totals.open += assigned.open.length;
  }
  return { more: totals.open > 0 && attempt < ASSIGN_TRIES, try: attempt + 1, ...totals };
}

const unassigned = ({ open, problems }: Assigned, evidence: string): Reject[] =>
  open.map((itemId) => ({
    itemId,
    stage: 'assign-clusters',
    code: 'UNASSIGNED',
    message: `No valid leaf after ${ASSIGN_TRIES} tries. ${problems.slice(0, 3).join(' ')}`,
    evidence,
    round: ASSIGN_TRIES,
  }));
