import type { Cluster } from '../records.ts';
import type { SourceTool } from '../refactor/forms.ts';
import { normalForms } from '../refactor/refactor.ts';
import { skeletonOf } from '../refactor/skeleton.ts';
import { coveredIn, uncoveredIn, type ClusterState } from './state.ts';

/**
 * The second pass: tools that found no company in their own topic meet those of the topics beside it, in pools of a
 * cluster's size. Tools of one form stand together, so that a pool has them both.
 */
export function secondPass(
  states: readonly ClusterState[],
  sources: ReadonlyMap<string, SourceTool>,
  maxCluster: number,
): ClusterState[] {
  const pathOf = new Map(
    states.flatMap(({ cluster }) => cluster.toolIds.map((id) => [id, cluster.path] as const)),
  );
  const first = states.map((state): ClusterState => {
    const covered = coveredIn(state);
    const toolIds = state.cluster.toolIds.filter((id) => covered.has(id));
    return { ...state, cluster: { ...state.cluster, toolIds } };
  });
  const pools = cut(inFormOrder(states.flatMap(uncoveredIn), sources), maxCluster).map((toolIds, n) => ({
    cluster: poolOf(toolIds, n, pathOf),
    pass: 2,
    scenarios: [],
  }));
  return [...first.filter(({ cluster }) => cluster.toolIds.length > 0), ...pools];
}

/** Whether there is a second pass: some tool is uncovered, and was not the only one of the part. */
export const wantsSecondPass = (states: readonly ClusterState[], round: number): boolean =>
  round === 1 &&
  states.some((state) => uncoveredIn(state).length > 0) &&
  states.reduce((sum, { cluster }) => sum + cluster.toolIds.length, 0) > 1;

function inFormOrder(ids: readonly string[], sources: ReadonlyMap<string, SourceTool>): string[] {
  const tools = ids.flatMap((id) => sources.get(id) ?? []);
  const form = new Map(
    normalForms(tools)
      .forms.map(skeletonOf)
      .map(({ toolId, text }) => [toolId, text]),
  );
  // What has no form comes last; a part's topics are in order already.
  const key = (id: string): string => form.get(id) ?? '\uffff';
  return ids
    .map((id, at) => ({ id, at, key: key(id) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.at - b.at))
    .map(({ id }) => id);
}

function cut(ids: readonly string[], most: number): string[][] {
  const parts = Math.ceil(ids.length / most);
  return Array.from({ length: parts }, (_, part) =>
    ids.slice(Math.round((part * ids.length) / parts), Math.round(((part + 1) * ids.length) / parts)),
  );
}

const poolOf = (toolIds: readonly string[], n: number, pathOf: ReadonlyMap<string, string[]>): Cluster => ({
  clusterId: `second-pass-${n + 1}`,
  path: commonPath(toolIds.map((id) => pathOf.get(id) ?? [])),
  description: 'Tools of several topics that found no company in their own.',
  toolIds: [...toolIds],
});

/** The topics that all paths have in common, from the root. */
export function commonPath(paths: readonly (readonly string[])[]): string[] {
  const [first = [], ...rest] = paths;
  let length = first.length;
  for (const path of rest) {
    let same = 0;
    while (same < length && path[same] === first[same]) same++;
    length = same;
  }
  return first.slice(0, length);
}
