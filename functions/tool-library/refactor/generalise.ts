import { numberOf } from '../analysis/literals.ts';
import type { AstNode } from '../python/ast.ts';
import { leafKey, type Leaf, type Skeleton } from './forms.ts';

/** Least general generalisation of functions with one skeleton (steps 5 and 6). */

export interface Variable {
  /** What stands in its holes, one leaf a tool. */
  column: Leaf[];
  /** Its holes, in order. */
  holes: number[];
  /** The most frequent literal; absent where all tools have a parameter: then it is required. */
  default?: AstNode;
}

export interface Generalisation {
  skeletons: Skeleton[];
  /** Required ones first, then by first use. */
  variables: Variable[];
  /** The literal of each hole that all tools agree on. */
  constants: Map<number, AstNode>;
}

export const isNeutral = (leaf: Leaf): boolean => leaf.kind === 'literal' && leaf.node.neutral === true;

/**
 * Generalises skeletons of equal text. A hole in which all have one literal keeps it; every other column of leaves is a
 * variable, and equal columns share one, which makes the result least general.
 */
export function generalise(skeletons: Skeleton[]): Generalisation {
  const constants = new Map<number, AstNode>();
  const byColumn = new Map<string, Variable>();
  const holes = skeletons[0]!.leaves.length;
  for (let hole = 0; hole < holes; hole++) {
    const column = skeletons.map(({ leaves }) => leaves[hole]!);
    const keys = column.map(leafKey);
    const [first] = column;
    if (first?.kind === 'literal' && keys.every((key) => key === keys[0])) {
      constants.set(hole, first.node);
      continue;
    }
    const id = keys.join('\n');
    const known = byColumn.get(id);
    if (known) known.holes.push(hole);
    else {
      const fallback = defaultOf(column);
      byColumn.set(id, { column, holes: [hole], ...(fallback ? { default: fallback } : {}) });
    }
  }
  const all = [...byColumn.values()];
  const required = all.filter((variable) => !variable.default);
  return { skeletons, variables: [...required, ...all.filter((variable) => variable.default)], constants };
}

/** The neutral literal of a widened hole, else the most frequent literal; of several the smallest. */
function defaultOf(column: readonly Leaf[]): AstNode | undefined {
  const neutral = column.find(isNeutral);
  if (neutral?.kind === 'literal') return neutral.node;
  const counts = new Map<string, { node: AstNode; count: number }>();
  for (const leaf of column) {
    if (leaf.kind === 'parameter') continue;
    const entry = counts.get(leafKey(leaf)) ?? { node: leaf.node, count: 0 };
    entry.count++;
    counts.set(leafKey(leaf), entry);
  }
  const [best] = [...counts.values()].sort((a, b) => b.count - a.count || compareLiterals(a.node, b.node));
  return best?.node;
}

function compareLiterals(a: AstNode, b: AstNode): number {
  const [one, two] = [numberOf(a), numberOf(b)];
  if (one !== undefined && two !== undefined && one !== two) return one - two;
  if ((one === undefined) !== (two === undefined)) return one === undefined ? 1 : -1;
  const [left, right] = [JSON.stringify(a.value), JSON.stringify(b.value)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** How many variables a generalisation would have. */
export const variablesOf = (skeletons: Skeleton[]): number => generalise(skeletons).variables.length;
