import type { ClusterNode, Reject } from '../records.ts';

/** The topic tree: a root that is every topic, leaves that hold tools. */
export interface TopicTree {
  /** 0 is the seed's; every batch of tools makes the next. */
  version: number;
  /** Levels at most, the root's is 1. */
  depth: number;
  /** `fallback`: the model's seeds were bad, the builtin algorithm made it. */
  origin: 'builtin' | 'model' | 'fallback';
  /** The root first, parents before children. */
  nodes: ClusterNode[];
}

/** A change of the tree as a model asks for it. */
export type TreeOperation =
  | { type: 'ADD_NODE'; id: string; parent: string | null; level: number; description: string }
  | { type: 'MODIFY_NODE'; id: string; parent?: string | undefined; description?: string | undefined };

export const ROOT = 'root';
/** Where tools go that nobody could place; never a node of the tree. */
export const UNASSIGNED = 'unassigned';

const NODE_ID = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
const MAX_ID = 64;
const MAX_DESCRIPTION = 500;

export const emptyTree = (depth: number, origin: TopicTree['origin']): TopicTree => ({
  version: 0,
  depth,
  origin,
  nodes: [
    {
      id: ROOT,
      parent: null,
      level: 1,
      children: [],
      name: ROOT,
      description: 'All tools.',
      toolIds: [],
    },
  ],
});

export const isLeaf = (node: ClusterNode): boolean => node.children.length === 0 && node.id !== ROOT;
export const leavesOf = (tree: TopicTree): ClusterNode[] => tree.nodes.filter(isLeaf);

/** A node's id as a tool's name would be written. */
export const asToolName = (id: string): string => id.replaceAll('-', '_');

/** Names from the level below the root down to the node. */
export function pathOf(tree: TopicTree, id: string): string[] {
  const byId = new Map(tree.nodes.map((node) => [node.id, node]));
  const path: string[] = [];
  for (let node = byId.get(id); node && node.id !== ROOT; node = byId.get(node.parent ?? ''))
    path.unshift(node.name);
  return path;
}

/**
 * Applies operations one by one, refusing single ones (section 5): an unknown parent, a duplicate or malformed id, a
 * level that is not the parent's plus one, a cycle, a level below `depth`, the name of a tool. An operation may name a
 * parent that a later one adds.
 * @param toolNames names that are no topics.
 * @returns a new tree of the same version, parents before children, and the refusals.
 */
export function applyTree(
  tree: TopicTree,
  operations: readonly TreeOperation[],
  toolNames: ReadonlySet<string>,
): { tree: TopicTree; refused: { operation: TreeOperation; reason: string }[] } {
  const nodes = new Map(tree.nodes.map((node) => [node.id, { ...node, children: [...node.children] }]));
  const refused: { operation: TreeOperation; reason: string }[] = [];
  const refuse = (operation: TreeOperation, reason: string): void => void refused.push({ operation, reason });

  const adds = new Map<string, Extract<TreeOperation, { type: 'ADD_NODE' }>>();
  for (const operation of operations) {
    if (operation.type !== 'ADD_NODE' || isRoot(operation)) continue;
    if (!NODE_ID.test(operation.id) || operation.id.length > MAX_ID || operation.id === UNASSIGNED)
      refuse(
        operation,
        `"${operation.id.slice(0, MAX_ID)}" is no id of a node: lower-case words joined by hyphens`,
      );
    else if (nodes.has(operation.id) || adds.has(operation.id))
      refuse(operation, `duplicate id "${operation.id}"`);
    else if (toolNames.has(asToolName(operation.id)))
      refuse(operation, `"${operation.id}" is the name of a tool, not of a topic`);
    else adds.set(operation.id, operation);
  }

  // A refused parent takes what stands below it along, as an unknown parent.
  const add = (operation: Extract<TreeOperation, { type: 'ADD_NODE' }>, above: ReadonlySet<string>): void => {
    adds.delete(operation.id);
    const parentId = operation.parent ?? ROOT;
    if (above.has(parentId) || parentId === operation.id)
      return refuse(operation, `a cycle: "${operation.id}" stands below itself`);
    const pending = adds.get(parentId);
    if (pending) add(pending, new Set([...above, operation.id]));
    const parent = nodes.get(parentId);
    if (!parent && pending) return refuse(operation, `its parent "${parentId}" was refused`);
    if (!parent) return refuse(operation, `unknown parent "${parentId.slice(0, MAX_ID)}"`);
    if (parent.level + 1 > tree.depth)
      return refuse(operation, `too deep: the tree has ${tree.depth} levels`);
    if (operation.level !== parent.level + 1)
      return refuse(
        operation,
        `wrong level ${operation.level}: a child of "${parent.id}" is at level ${parent.level + 1}`,
      );
    nodes.set(operation.id, {
      id: operation.id,
      parent: parent.id,
      level: operation.level,
      children: [],
      name: operation.id.replaceAll('-', ' '),
      description: operation.description.slice(0, MAX_DESCRIPTION),
      toolIds: [],
    });
    parent.children.push(operation.id);
  };
  for (const operation of [...adds.values()]) if (adds.has(operation.id)) add(operation, new Set());

  for (const operation of operations) {
    if (operation.type === 'MODIFY_NODE') modify(nodes, operation, refuse);
  }
  return { tree: { ...tree, nodes: inOrder(nodes) }, refused };
}

const isRoot = (operation: TreeOperation): boolean => operation.id === ROOT && !operation.parent;

function modify(
  nodes: Map<string, ClusterNode>,
  operation: Extract<TreeOperation, { type: 'MODIFY_NODE' }>,
  refuse: (operation: TreeOperation, reason: string) => void,
): void {
  const node = nodes.get(operation.id);
  if (!node || node.id === ROOT)
    return refuse(operation, `there is no node "${operation.id.slice(0, MAX_ID)}" to modify`);
  const { parent: parentId = node.parent! } = operation;
  if (parentId !== node.parent) {
    const parent = nodes.get(parentId);
    if (!parent) return refuse(operation, `unknown parent "${parentId.slice(0, MAX_ID)}"`);
    for (let above: ClusterNode | undefined = parent; above; above = nodes.get(above.parent ?? ''))
      if (above === node) return refuse(operation, `a cycle: "${node.id}" would stand below itself`);
    if (parent.level + 1 !== node.level)
      return refuse(
        operation,
        `wrong level: "${node.id}" is at level ${node.level}, a child of "${parent.id}" at ${parent.level + 1}`,
      );
    const old = nodes.get(node.parent!)!;
    old.children = old.children.filter((child) => child !== node.id);
    parent.children.push(node.id);
    node.parent = parent.id;
  }
  if (operation.description) node.description = operation.description.slice(0, MAX_DESCRIPTION);
}

/** Parents before children, children in the order of their ids: one tree has one form. */
function inOrder(nodes: Map<string, ClusterNode>): ClusterNode[] {
  const order: ClusterNode[] = [];
  const open = [ROOT];
  while (open.length > 0) {
    const node = nodes.get(open.shift()!)!;
    node.children.sort();
    order.push(node);
    open.push(...node.children);
  }
  return order;
}

/** The refusals as the job's rejects show them. */
export const treeRejects = (
  refused: ReturnType<typeof applyTree>['refused'],
  stage: 'seed-clusters' | 'update-clusters',
  round: number,
  /** Where the answers are that it was said in. */
  evidence: string,
): Reject[] =>
  refused.map(({ operation, reason }) => ({
    itemId: operation.id.slice(0, MAX_ID) || 'node',
    stage,
    code: 'TREE_OP_INVALID' as const,
    message: `${operation.type}: ${reason}.`,
    evidence,
    round,
  }));
