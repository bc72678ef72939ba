import { numberNode, numberOf, nodesOf } from '../analysis/literals.ts';
import { isNode, walk, type AstNode } from '../python/ast.ts';
import { stripLines, type Leaf } from './forms.ts';
import { name } from './emit.ts';

/** Calls of a tool as calls of the function that replaces it (step 11). */

/** Where an argument comes from. */
export type Origin =
  { parameter: string; /** What its number is multiplied by. */ times?: number } | { literal: AstNode };

export interface Adapter {
  /** The function that is called. */
  function: string;
  arguments: { name: string; from: Origin }[];
}

export const originOf = (leaf: Leaf): Origin =>
  leaf.kind === 'parameter' ? { parameter: leaf.name } : { literal: stripLines(leaf.node) };

/** The call of `entry` within an expression. */
export const callWithin = (expression: AstNode, entry: string): AstNode | undefined =>
  [...walk(expression)].find(
    (node) => node._ === 'Call' && isNode(node.func) && node.func._ === 'Name' && node.func.id === entry,
  );

/** The arguments of a call by parameter, defaults filled; undefined where it does not fit. */
export function bindCall(
  call: AstNode,
  parameters: readonly { name: string; default?: AstNode }[],
): Map<string, AstNode> | undefined {
  const bound = new Map<string, AstNode>();
  const args = nodesOf(call.args);
  if (args.length > parameters.length || args.some(({ _ }) => _ === 'Starred')) return undefined;
  for (const [n, node] of args.entries()) bound.set(parameters[n]!.name, node);
  for (const keyword of nodesOf(call.keywords)) {
    const id = String(keyword.arg);
    if (!parameters.some((parameter) => parameter.name === id) || bound.has(id)) return undefined;
    bound.set(id, keyword.value as AstNode);
  }
  for (const parameter of parameters) {
    if (bound.has(parameter.name)) continue;
    if (!parameter.default) return undefined;
    bound.set(parameter.name, parameter.default);
  }
  return bound;
}

/**
 * An expression with a call of `entry` in it as one with a call of the adapter's function, every variable by keyword.
 * @returns undefined where the call does not fit its function.
 */
export function mapExpression(
  expression: AstNode,
  entry: string,
  parameters: readonly { name: string; default?: AstNode }[],
  adapter: Adapter,
): AstNode | undefined {
  const call = callWithin(expression, entry);
  const bound = call && bindCall(call, parameters);
  if (!bound) return undefined;
  const keywords: AstNode[] = [];
  for (const argument of adapter.arguments) {
    const value = valueOf(argument.from, bound);
    if (!value) return undefined;
    keywords.push({ _: 'keyword', arg: argument.name, value: stripLines(value) });
  }
  return replaceCall(expression, call, { _: 'Call', func: name(adapter.function), args: [], keywords });
}

function valueOf(from: Origin, bound: ReadonlyMap<string, AstNode>): AstNode | undefined {
  if ('literal' in from) return from.literal;
  const node = bound.get(from.parameter);
  if (!node || from.times === undefined) return node;
  const number = numberOf(node);
  if (number !== undefined) return numberNode(number * from.times);
  return { _: 'BinOp', left: node, op: { _: 'Mult' }, right: numberNode(from.times) };
}

export function replaceCall(node: AstNode, from: AstNode, to: AstNode): AstNode {
  if (node === from) return to;
  const out: AstNode = { _: node._ };
  for (const [field, value] of Object.entries(node)) {
    if (node._ === 'Constant' && field === 'value') out[field] = value;
    else if (isNode(value)) out[field] = replaceCall(value, from, to);
    else if (Array.isArray(value))
      out[field] = value.map((item) => (isNode(item) ? replaceCall(item, from, to) : item));
    else out[field] = value;
  }
  return out;
}
