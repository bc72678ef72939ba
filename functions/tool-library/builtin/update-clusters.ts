import { describeGroup, nameSiblings, nodeId } from '../clustering/naming.ts';
import type { UpdateClustersInput, UpdateClustersOutput } from '../roles/update-clusters.ts';

export interface AddedGroup {
  id: string;
  parent: string;
  level: number;
  description: string;
  /** Numbers of tools, from 1. */
  tools: number[];
}

/** The leaves to add for the groups that fit no leaf, named against each other. */
export function addedGroups({ tree, tools, analysis }: UpdateClustersInput): AddedGroup[] {
  const levels = new Map(tree.map(({ id, level }) => [id, level]));
  const taken = new Set(levels.keys());
  const toolNames = new Set(tools.map(({ name }) => name));
  const members = analysis.groups.map((group) => group.tools.flatMap((number) => tools[number - 1] ?? []));
  const names = nameSiblings(members);
  return analysis.groups.map((group, index) => {
    const id = nodeId(names[index]!, taken, toolNames);
    taken.add(id);
    const level = (levels.get(group.parent) ?? 1) + 1;
    return { ...group, id, level, description: describeGroup(names[index]!, members[index]!) };
  });
}

/** Plays update-clusters. */
export const updateClusters = (input: UpdateClustersInput): UpdateClustersOutput => ({
  operations: addedGroups(input).map(({ id, parent, level, description }) => ({
    type: 'ADD_NODE',
    id,
    parent,
    level,
    description,
  })),
});
