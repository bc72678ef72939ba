import { nodesOf } from '../analysis/literals.ts';
import { parametersOf } from '../analysis/functions.ts';
import { walk, type AstNode } from '../python/ast.ts';
import { functionNode, name } from './emit.ts';
import type { Leaf, NormalForm, Skeleton } from './forms.ts';
import { generalise, type Generalisation } from './generalise.ts';
import { isPure } from './inline.ts';
import { fresh, storesOf } from './names.ts';
import { wordingOf } from './naming.ts';
import { sizeOf } from './normalise.ts';
import { fill, skeletonOf } from './skeleton.ts';

/** Shared sub-expressions become private functions of the module (step 8). */

/** Fewest nodes of a sub-expression. */
const MIN_NODES = 4;
const MAX_HELPERS = 20;

interface Occurrence {
  fn: number;
  node: AstNode;
  skeleton: Skeleton;
}

/**
 * Takes sub-expressions with one skeleton out of two or more functions, those first that save most nodes; one that
 * saves none stays.
 * @param open functions that take part, by index.
 * @param numeric whether a function's arguments are numbers, one a function.
 * @returns the functions with calls in their place, and the helpers.
 */
export function shareHelpers(
  functions: readonly AstNode[],
  open: readonly number[],
  numeric: readonly boolean[],
  taken: Set<string>,
): { functions: AstNode[]; helpers: AstNode[] } {
  let current = [...functions];
  const helpers: AstNode[] = [];
  while (helpers.length < MAX_HELPERS) {
    const best = bestGroup(current, open, numeric);
    if (!best) break;
    const merged = generalise(best.map(({ skeleton }) => skeleton));
    const { helper, call } = helperOf(merged, taken);
    helpers.push(helper);
    current = current.map((fn, index) => {
      const calls = new Map(
        best.flatMap((occurrence, n) =>
          occurrence.fn === index ? [[occurrence.node, call(n)] as const] : [],
        ),
      );
      return calls.size === 0 ? fn : replaceNodes(fn, calls);
    });
  }
  return { functions: current, helpers };
}

function bestGroup(
  functions: readonly AstNode[],
  open: readonly number[],
  numeric: readonly boolean[],
): Occurrence[] | undefined {
  const groups = new Map<string, Occurrence[]>();
  for (const index of open) {
    for (const occurrence of expressionsOf(functions[index]!, index, numeric[index]!)) {
      const { text } = occurrence.skeleton;
      groups.set(text, [...(groups.get(text) ?? []), occurrence]);
    }
  }
  let best: { saved: number; text: string; group: Occurrence[] } | undefined;
  for (const [text, group] of groups) {
    if (new Set(group.map(({ fn }) => fn)).size < 2) continue;
    const saved = nodesSaved(group);
    if (saved > 0 && (!best || saved > best.saved || (saved === best.saved && text < best.text)))
      best = { saved, text, group };
  }
  return best?.group;
}

/** What calls save over the expressions they stand for, less the helper itself. */
function nodesSaved(group: readonly Occurrence[]): number {
  const size = sizeOf(group[0]!.node);
  const parameters = generalise(group.map(({ skeleton }) => skeleton)).variables.length;
  return group.length * (size - 2 - parameters) - (size + 2 + parameters);
}

function* expressionsOf(fn: AstNode, index: number, numeric: boolean): Generator<Occurrence> {
  const body = nodesOf(fn.body);
  const names = new Set([
    ...parametersOf(fn).map((parameter) => parameter.name),
    ...storesOf(body).map((store) => store.name),
  ]);
  for (const node of walk(fn)) {
    if (node._ !== 'BinOp' || sizeOf(node) < MIN_NODES || !isPure(node)) continue;
    yield { fn: index, node, skeleton: expressionSkeleton(node, [...names], numeric) };
  }
}

const expressionSkeleton = (node: AstNode, names: string[], numeric: boolean): Skeleton => {
  const form: NormalForm = {
    toolId: '',
    name: '',
    parameters: names.map((id) => ({ name: id })),
    body: [{ _: 'Return', value: node }],
    locals: [],
    imports: [],
    support: [],
    numeric,
  };
  return skeletonOf(form);
};

const WORDS: Record<string, string> = {
  Add: 'sum',
  Sub: 'difference',
  Mult: 'product',
  Div: 'share',
  Pow: 'power',
};

function helperOf(
  merged: Generalisation,
  taken: Set<string>,
): { helper: AstNode; call: (occurrence: number) => AstNode } {
  const [first] = merged.skeletons;
  const value = first!.body[0]!.value as AstNode;
  // A helper's parameters have no defaults: every call says all.
  const variables = [...merged.variables].sort((a, b) => a.holes[0]! - b.holes[0]!);
  const wording = wordingOf(
    { ...merged, variables: variables.map(({ column, holes }) => ({ column, holes })) },
    new Set(taken),
  );
  const root = WORDS[(value.op as AstNode)._] ?? 'value';
  const id = fresh(`_${root}_of_${wording.parameters.join('_')}`.slice(0, 48).replace(/_+$/, ''), taken);
  const byHole = new Map<number, AstNode>(merged.constants);
  for (const [n, variable] of variables.entries()) {
    for (const hole of variable.holes) byHole.set(hole, name(wording.parameters[n]!));
  }
  const body = fill(first!, (hole) => byHole.get(hole)!, []);
  const helper = functionNode(
    id,
    wording.parameters.map((parameter) => ({ name: parameter })),
    undefined,
    body,
  );
  const nodeOf = (leaf: Leaf): AstNode => (leaf.kind === 'parameter' ? name(leaf.name) : leaf.node);
  return {
    helper,
    call: (occurrence) => ({
      _: 'Call',
      func: name(id),
      args: variables.map(({ column }) => nodeOf(column[occurrence]!)),
      keywords: [],
    }),
  };
}

/** A tree with some of its nodes, found by identity, replaced; nothing inside them is looked at. */
function replaceNodes(tree: AstNode, by: ReadonlyMap<AstNode, AstNode>): AstNode {
  const visit = (node: AstNode): AstNode => {
    const replacement = by.get(node);
    if (replacement) return replacement;
    const out: AstNode = { _: node._ };
    for (const [field, value] of Object.entries(node)) {
      if (node._ === 'Constant' && field === 'value') out[field] = value;
      else if (Array.isArray(value)) {
        out[field] = value.map((item) =>
          typeof item === 'object' && item !== null && '_' in item ? visit(item as AstNode) : item,
        );
      } else
        out[field] =
          typeof value === 'object' && value !== null && '_' in value ? visit(value as AstNode) : value;
    }
    return out;
  };
  return visit(tree);
}
