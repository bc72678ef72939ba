import { dot } from '#shared/text/vectors.ts';
import type { Cluster, ClusterNode } from '../records.ts';
import { memberCentroid } from './store.ts';
import { isLeaf, pathOf, UNASSIGNED, type TopicTree } from './tree.ts';

/** A tool where it was assigned. */
export interface PlacedTool {
  id: string;
  leafId: string;
  vector: Float32Array;
}

interface Group {
  id: string;
  tools: PlacedTool[];
  centroid: Float32Array;
}

const groupOf = (id: string, tools: PlacedTool[]): Group => ({
  id,
  tools,
  centroid: memberCentroid(tools.map(({ vector }) => vector)),
});

/**
 * Leaves become clusters of a size that a design can look at (section 4.5): a leaf with fewer than `min` tools joins the
 * nearest leaf beside it if both together have at most `max`, else it stands; one with more than `max` becomes
 * ceil(n / max) parts whose sizes differ by one at most. Every tool is in exactly one cluster.
 */
export function balanceClusters(
  tree: TopicTree,
  tools: readonly PlacedTool[],
  { min, max }: { min: number; max: number },
): Cluster[] {
  const byLeaf = new Map<string, PlacedTool[]>();
  for (const tool of tools) byLeaf.set(tool.leafId, [...(byLeaf.get(tool.leafId) ?? []), tool]);
  const nodes = new Map(tree.nodes.map((node) => [node.id, node]));

  const families = new Map<string, Group[]>();
  for (const [id, members] of [...byLeaf].sort(byKey)) {
    const node = nodes.get(id);
    // What is under no leaf of the tree has no siblings.
    const family = node && isLeaf(node) ? `below ${node.parent}` : `alone ${id}`;
    families.set(family, [...(families.get(family) ?? []), groupOf(id, members)]);
  }
  const groups = [...families.values()].flatMap((family) => joinSmall(family, min, max));
  return groups
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .flatMap((group) => split(group, max).map((part) => clusterOf(tree, nodes.get(group.id), part)));
}

const byKey = (a: [string, unknown], b: [string, unknown]): number => (a[0] < b[0] ? -1 : 1);

/** Smallest first, each to its nearest sibling; what joined goes by the larger one's id. */
function joinSmall(family: Group[], min: number, max: number): Group[] {
  let groups = family;
  const stands = new Set<string>();
  for (;;) {
    const small = groups
      .filter(({ id, tools }) => tools.length < min && !stands.has(id))
      .sort((a, b) => a.tools.length - b.tools.length || (a.id < b.id ? -1 : 1))[0];
    if (!small) return groups;
    let nearest: Group | undefined;
    let nearness = -Infinity;
    for (const group of groups) {
      if (group === small || group.tools.length + small.tools.length > max) continue;
      const near = dot(small.centroid, group.centroid);
      if (near > nearness || (near === nearness && group.id < nearest!.id))
        [nearest, nearness] = [group, near];
    }
    if (!nearest) {
      stands.add(small.id);
      continue;
    }
    const id = nearest.tools.length >= small.tools.length ? nearest.id : small.id;
    const joined = groupOf(id, [...nearest.tools, ...small.tools]);
    groups = [...groups.filter((group) => group !== small && group !== nearest), joined];
  }
}

/** Near-equal parts of tools that are near each other: in order of their cosine with the one furthest from the middle. */
function split({ id, tools, centroid: middle }: Group, max: number): Pick<Group, 'id' | 'tools'>[] {
  const sorted = tools.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const parts = Math.ceil(tools.length / max);
  if (parts <= 1) return [{ id, tools: sorted }];
  const furthest = sorted.reduce((far, tool) =>
    dot(middle, tool.vector) < dot(middle, far.vector) ? tool : far,
  );
  const order = sorted
    .map((tool) => ({ tool, near: dot(furthest.vector, tool.vector) }))
    .sort((a, b) => b.near - a.near || (a.tool.id < b.tool.id ? -1 : 1));
  const [size, larger] = [Math.floor(tools.length / parts), tools.length % parts];
  let from = 0;
  return Array.from({ length: parts }, (_, part) => {
    const until = from + size + (part < larger ? 1 : 0);
    const members = order.slice(from, until).map(({ tool }) => tool);
    from = until;
    return { id: `${id}.${part + 1}`, tools: members.sort((a, b) => (a.id < b.id ? -1 : 1)) };
  });
}

const clusterOf = (
  tree: TopicTree,
  node: ClusterNode | undefined,
  { id, tools }: Pick<Group, 'id' | 'tools'>,
): Cluster => ({
  clusterId: id,
  path: node ? pathOf(tree, node.id) : [UNASSIGNED],
  description: node?.description ?? 'Tools that no topic was found for.',
  toolIds: tools.map((tool) => tool.id),
});
