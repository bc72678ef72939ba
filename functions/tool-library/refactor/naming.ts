import { isNode, type AstNode } from '../python/ast.ts';
import type { Leaf } from './forms.ts';
import { docstringFor } from './docstring.ts';
import { isNeutral, type Generalisation, type Variable } from './generalise.ts';
import { fresh } from './names.ts';
import { fill } from './skeleton.ts';
import { commonTokens, isGeneric, tokensOf } from './words.ts';

/** Names and words of merged functions (step 10). */

export interface Wording {
  name: string;
  /** One a variable, in their order. */
  parameters: string[];
  /** One a local of the skeleton. */
  locals: string[];
  docstring: string;
}

const MAX_NAME = 64;
/** Parameters that a function's name says. */
const MAX_NAMED = 3;

/** @param taken names that mean something else in the function's scope; what is given here is added. */
export function wordingOf(merged: Generalisation, taken: Set<string>): Wording {
  const positions = positionsOf(merged);
  const own = new Set(taken);
  const used = new Map<string, number>();
  // Names go out in the order of use, as a reader meets them; parameters stand in the order of the signature.
  const inOrder = [...merged.variables].sort((a, b) => a.holes[0]! - b.holes[0]!);
  const names = new Map<Variable, string>();
  for (const variable of inOrder) {
    const wanted = nameOf(variable, positions[variable.holes[0]!]!, used, merged.skeletons.length);
    names.set(variable, fresh(wanted, own));
  }
  const locals = merged.skeletons[0]!.locals.map((_, index) =>
    fresh(majority(merged.skeletons.map((skeleton) => skeleton.locals[index]!)), own),
  );
  const parameters = merged.variables.map((variable) => names.get(variable)!);
  const required = merged.variables.flatMap((variable, index) =>
    variable.default ? [] : [parameters[index]!],
  );
  const { name, common } = functionName(merged, required);
  return {
    name: fresh(name, taken),
    parameters,
    locals,
    docstring: docstringFor(merged, parameters, common, required),
  };
}

/** The majority's name, else the token all names share, else by position. */
function nameOf(variable: Variable, position: Position, used: Map<string, number>, tools: number): string {
  const names = parameterNames(variable.column);
  const counts = countOf(names);
  const [best] = [...counts].sort((a, b) => b[1] - a[1]);
  if (best && best[1] > tools / 2) return best[0];
  if (names.length > 1) {
    const shared = commonTokens(names.map(tokensOf)).filter((token) => !isGeneric(token));
    if (shared.length > 0) return shared.join('_');
    const most = mostCommon(names.map((each) => tokensOf(each).filter((token) => !isGeneric(token))));
    if (most && most.count > tools / 2) return most.token;
  }
  const times = used.get(position) ?? 0;
  used.set(position, times + 1);
  const text = variable.column.some((leaf) => leaf.kind === 'literal' && typeof leaf.node.value === 'string');
  if (text) return 'text';
  return position === 'factor' ? (times === 0 ? 'quantity' : 'rate') : NAMES[position];
}

export type Position = 'factor' | 'term' | 'dividend' | 'divisor' | 'exponent' | 'base' | 'value';

const NAMES: Record<Position, string> = {
  factor: 'rate',
  term: 'amount',
  dividend: 'amount',
  divisor: 'divisor',
  exponent: 'exponent',
  base: 'base',
  value: 'value',
};

/** Where each hole stands in its operation. */
function positionsOf({ skeletons }: Generalisation): Position[] {
  const positions: Position[] = [];
  const [first] = skeletons;
  const hole = (_: number, parent: AstNode, field: string): AstNode => {
    positions.push(positionOf(parent, field));
    return parent;
  };
  fill(first!, hole, first!.locals);
  return positions;
}

function positionOf(parent: AstNode, field: string): Position {
  const op = parent._ === 'BinOp' && isNode(parent.op) ? parent.op._ : undefined;
  if (op === 'Mult') return 'factor';
  if (op === 'Add' || op === 'Sub') return 'term';
  if (op === 'Pow') return field === 'right' ? 'exponent' : 'base';
  if (op === 'Div' || op === 'FloorDiv' || op === 'Mod') return field === 'right' ? 'divisor' : 'dividend';
  return 'value';
}

const parameterNames = (column: readonly Leaf[]): string[] =>
  column.flatMap((leaf) => (leaf.kind === 'parameter' ? [leaf.name] : []));

/** The token that most lists have. */
function mostCommon(lists: readonly string[][]): { token: string; count: number } | undefined {
  const counts = countOf(lists.flatMap((list) => [...new Set(list)]));
  const [best] = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return best && { token: best[0], count: best[1] };
}

const countOf = (words: readonly string[]): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
};

const majority = (words: readonly string[]): string =>
  [...countOf(words)].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0]![0];

/** The tokens all names have in common; with one of them, what it is worked out from is said too. */
function functionName(
  merged: Generalisation,
  required: readonly string[],
): { name: string; common: string[] } {
  const lists = merged.skeletons.map(({ name }) => tokensOf(name));
  let common = commonTokens(lists);
  if (common.length === 0) {
    const most = mostCommon(lists.map((list) => list.filter((token) => !isGeneric(token))));
    const operation = OPERATION[rootOf(merged)] ?? 'value';
    common = most && most.count > lists.length / 2 ? [most.token] : [operation];
  }
  const from =
    common.length > 1 || required.length === 0 ? [] : ['from', required.slice(0, MAX_NAMED).join('_and_')];
  const name = [...common, ...from].join('_');
  return { name: cut(name, common), common };
}

/** Names end at a whole token. */
function cut(name: string, common: readonly string[]): string {
  let out = name;
  while (out.length > MAX_NAME - 4 && out.includes('_')) out = out.replace(/(?:_and)?_[^_]*$/, '');
  return out === '' ? common.join('_').slice(0, MAX_NAME - 4) : out;
}

const OPERATION: Record<string, string> = {
  Add: 'total',
  Sub: 'difference',
  Mult: 'product',
  Div: 'share',
  Pow: 'power',
};

/** The outermost operator that all sources have: leaves that widening added are passed over. */
function rootOf({ skeletons }: Generalisation): string {
  const last = skeletons[0]!.body.at(-1);
  let value = last?._ === 'Return' && isNode(last.value) ? last.value : undefined;
  for (
    let hole = -1;
    value?._ === 'BinOp' && skeletons.some(({ leaves }) => isAdded(leaves.at(hole)));
    hole--
  ) {
    value = value.left as AstNode;
  }
  return value?._ === 'BinOp' && isNode(value.op) ? value.op._ : '';
}

const isAdded = (leaf: Leaf | undefined): boolean => leaf !== undefined && isNeutral(leaf);
