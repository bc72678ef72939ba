import type { AstNode } from '../python/ast.ts';
import type { CallShape } from './calls.ts';
import { parametersOf } from './functions.ts';
import { constant, jsonOf, nodesOf, numberNode, numberOf } from './literals.ts';

/** Calls with changed arguments (section 9): v+1, 2v, −v, 0; another word; a list shorter and longer. */

export const MAX_PERTURBED = 16;

/**
 * A call with some arguments replaced, by keyword; what the setup computes stays.
 * @returns the expression around the call, with the changed call in it.
 */
export function withArguments(shape: CallShape, fn: AstNode, changes: ReadonlyMap<string, AstNode>): AstNode {
  const names = parametersOf(fn).map(({ name }) => name);
  const call: AstNode = {
    ...shape.call,
    args: nodesOf(shape.call.args).map((node, n) => changes.get(names[n] ?? '') ?? node),
    keywords: nodesOf(shape.call.keywords).map((keyword) => {
      const changed = changes.get(String(keyword.arg));
      return changed ? { ...keyword, value: changed } : keyword;
    }),
  };
  return replace(shape.expression, shape.call, call);
}

function replace(node: AstNode, from: AstNode, to: AstNode): AstNode {
  if (node === from) return to;
  const out: AstNode = { _: node._ };
  for (const [name, value] of Object.entries(node)) {
    if (Array.isArray(value))
      out[name] = value.map((item) => (isObject(item) ? replace(item, from, to) : item));
    else
      out[name] =
        isObject(value) && !(node._ === 'Constant' && name === 'value') ? replace(value, from, to) : value;
  }
  return out;
}

const isObject = (value: unknown): value is AstNode =>
  typeof value === 'object' && value !== null && '_' in value;

/** Changed values of one argument, in the order of section 9. */
export function variantsOf(node: AstNode): AstNode[] {
  const number = numberOf(node);
  if (number !== undefined) {
    const whole = Number.isInteger(number);
    const values = [number + 1, 2 * number, -number, 0].filter((value) => value !== number);
    return [...new Set(values)].map((value) => (whole ? numberNode(value) : floatNode(value)));
  }
  const value = jsonOf(node);
  if (typeof value === 'boolean') return [constant(!value)];
  if (typeof value === 'string')
    return [constant(value === 'another' ? 'other' : 'another'), constant('')].filter(
      (other) => other.value !== value,
    );
  if (node._ === 'List' || node._ === 'Tuple' || node._ === 'Set') {
    const items = nodesOf(node.elts);
    const longer = { ...node, elts: [...items, ...(items.length > 0 ? items.slice(-1) : [numberNode(1)])] };
    return items.length > 1 ? [{ ...node, elts: items.slice(0, -1) }, longer] : [longer];
  }
  return [];
}

const floatNode = (value: number): AstNode =>
  Number.isInteger(value) ? constant({ $: 'float', v: `${value}.0` }) : numberNode(value);

/** At most 16 calls, each with one argument changed; the parameters take turns. */
export function perturbedCalls(shape: CallShape, fn: AstNode): AstNode[] {
  const variants = [...shape.arguments].map(([name, node]) =>
    variantsOf(node).map((variant) => [name, variant] as const),
  );
  const calls: AstNode[] = [];
  for (let turn = 0; calls.length < MAX_PERTURBED && variants.some((list) => turn < list.length); turn++) {
    for (const list of variants) {
      const change = list[turn];
      if (change && calls.length < MAX_PERTURBED) calls.push(withArguments(shape, fn, new Map([change])));
    }
  }
  return calls;
}

/** The call with None for every argument; undefined where it has none. */
export function allNoneCall(shape: CallShape, fn: AstNode): AstNode | undefined {
  if (shape.arguments.size === 0) return undefined;
  return withArguments(shape, fn, new Map([...shape.arguments.keys()].map((name) => [name, constant(null)])));
}
