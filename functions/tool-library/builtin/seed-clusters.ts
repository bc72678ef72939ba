import { cutTree, type Merge } from '#shared/text/clustering.ts';
import { describeGroup, nameSiblings, nodeId } from '../clustering/naming.ts';
import { cutsOf } from '../clustering/thresholds.ts';
import { ROOT } from '../clustering/tree.ts';
import type { SeedClustersInput, SeedClustersOutput } from '../roles/seed-clusters.ts';

interface Group {
  /** Places of tools, from 0. */
  members: number[];
  children: Group[];
}

export interface NamedGroup {
  id: string;
  parent: string;
  level: number;
  description: string;
  /** Places of tools in the input, from 0. */
  members: number[];
}

/**
 * The builtin tree (section 6): average linkage cut at falling distances. A topic that the next level would not divide
 * is a leaf where it stands.
 * @returns all nodes below the root, parents first, with the tools of each.
 */
export function seedGroups({ depth, tools, analysis }: SeedClustersInput): NamedGroup[] {
  const merges: Merge[] = analysis.merges.map(([a, b, height]) => ({ a, b, height }));
  const cuts = cutsOf(depth).map((threshold) => cutTree(merges, tools.length, threshold));
  const levels = cuts.map((cut) => {
    const groupOf: number[] = [];
    cut.forEach((members, group) => members.forEach((member) => (groupOf[member] = group)));
    return groupOf;
  });

  const divide = (members: number[], level: number): Group[] => {
    const inside = new Map<number, number[]>();
    for (const member of members) {
      const group = levels[level]![member]!;
      inside.set(group, [...(inside.get(group) ?? []), member]);
    }
    return [...inside.values()].map((part) => ({ members: part, children: below(part, level + 1) }));
  };
  const below = (members: number[], level: number): Group[] => {
    if (level === levels.length) return [];
    const parts = divide(members, level);
    return parts.length > 1 ? parts : parts[0]!.children;
  };

  const taken = new Set<string>([ROOT]);
  const toolNames = new Set(tools.map(({ name }) => name));
  const nodes: NamedGroup[] = [];
  const name = (groups: readonly Group[], parent: string, level: number): void => {
    const toolsOf = (group: Group) => group.members.map((member) => tools[member]!);
    const tokens = nameSiblings(groups.map(toolsOf));
    groups.forEach((group, index) => {
      const id = nodeId(tokens[index]!, taken, toolNames);
      taken.add(id);
      nodes.push({
        id,
        parent,
        level,
        description: describeGroup(tokens[index]!, toolsOf(group)),
        members: group.members,
      });
      name(group.children, id, level + 1);
    });
  };
  name(
    divide(
      tools.map((_, index) => index),
      0,
    ),
    ROOT,
    2,
  );
  return nodes;
}

/** Plays seed-clusters. */
export function seedClusters(input: SeedClustersInput): SeedClustersOutput {
  const groups = seedGroups(input);
  const childrenOf = (id: string): string[] =>
    groups.filter(({ parent }) => parent === id).map((group) => group.id);
  const nodes = groups.map(({ id, parent, level, description }) => ({
    id,
    parent,
    level,
    children: childrenOf(id),
    description,
  }));
  const root = { id: ROOT, level: 1, parent: null, children: childrenOf(ROOT), description: 'All tools.' };
  return { clusters: [root, ...nodes] };
}
