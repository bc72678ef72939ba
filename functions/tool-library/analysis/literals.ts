import type { Json } from '#shared/storage/ports.ts';
import { isNode, type AstConstant, type AstNode } from '../python/ast.ts';

/** Literals of syntax trees as JSON values and back. */

export const nodesOf = (value: AstNode[string]): AstNode[] =>
  Array.isArray(value) ? value.filter(isNode) : [];

export const constant = (value: AstConstant): AstNode => ({ _: 'Constant', value });

/** A numeric literal of a tree: whole numbers as `int`, others as `float`. Negative ones are a unary minus. */
export function numberNode(value: number): AstNode {
  if (value < 0 || Object.is(value, -0))
    return { _: 'UnaryOp', op: { _: 'USub' }, operand: numberNode(-value) };
  if (Number.isInteger(value)) {
    return constant(Number.isSafeInteger(value) ? value : { $: 'int', v: BigInt(value).toString() });
  }
  return constant({ $: 'float', v: String(value) });
}

/** The number of a literal (a constant, or one with a sign); undefined for anything else, and for booleans. */
export function numberOf(node: AstNode): number | undefined {
  if (node._ === 'UnaryOp' && isNode(node.op) && isNode(node.operand)) {
    const value = numberOf(node.operand);
    if (value === undefined) return undefined;
    return node.op._ === 'USub' ? -value : node.op._ === 'UAdd' ? value : undefined;
  }
  if (node._ !== 'Constant') return undefined;
  const value = node.value as AstConstant;
  if (typeof value === 'number') return value;
  if (typeof value === 'object' && value !== null && (value.$ === 'float' || value.$ === 'int'))
    return Number(value.v);
  return undefined;
}

/**
 * The JSON of a literal: text, number, boolean, None, and lists, tuples, sets and dicts with text keys of them.
 * Undefined where the node is no literal, or one that JSON cannot say.
 */
export function jsonOf(node: AstNode): Json | undefined {
  const number = numberOf(node);
  if (number !== undefined) return Number.isFinite(number) ? number : undefined;
  if (node._ === 'Constant') {
    const value = node.value as AstConstant;
    return typeof value === 'object' && value !== null ? undefined : (value as Json);
  }
  if (node._ === 'List' || node._ === 'Tuple' || node._ === 'Set') {
    const items = nodesOf(node.elts).map(jsonOf);
    return items.includes(undefined) ? undefined : (items as Json[]);
  }
  if (node._ === 'Dict') {
    const out: Record<string, Json> = {};
    const values = nodesOf(node.values);
    const keys = Array.isArray(node.keys) ? node.keys : [];
    for (const [n, key] of keys.entries()) {
      const name = isNode(key) && key._ === 'Constant' ? key.value : undefined;
      const value = jsonOf(values[n]!);
      if (typeof name !== 'string' || value === undefined) return undefined;
      out[name] = value;
    }
    return out;
  }
  return undefined;
}

/** Whether a node is a literal of Python, whatever JSON can say of it. */
export function isLiteral(node: AstNode): boolean {
  if (node._ === 'Constant') return true;
  if (node._ === 'UnaryOp') return isNode(node.operand) && isLiteral(node.operand);
  if (node._ === 'List' || node._ === 'Tuple' || node._ === 'Set') return nodesOf(node.elts).every(isLiteral);
  if (node._ === 'Dict') return [...nodesOf(node.keys), ...nodesOf(node.values)].every(isLiteral);
  return false;
}
