import { isNode, type AstField, type AstNode, type ModuleNode } from '../python/ast.ts';
import { nodesOf } from './literals.ts';

/** Functions and their parameters in a syntax tree. */

export interface Parameter {
  name: string;
  annotation?: AstNode;
  /** Its default, where it has one. */
  default?: AstNode;
}

/** The functions a module defines at its top, in order. */
export const functionsOf = (module: ModuleNode): AstNode[] =>
  module.body.filter((node) => node._ === 'FunctionDef');

export const functionNamed = (module: ModuleNode, name: string): AstNode | undefined =>
  functionsOf(module).findLast((node) => node.name === name);

/** The named parameters of a function, positional and keyword-only, in order. */
export function parametersOf(fn: AstNode): Parameter[] {
  const args = fn.args as AstNode;
  const positional = [...nodesOf(args.posonlyargs), ...nodesOf(args.args)];
  const defaults = nodesOf(args.defaults);
  const keywordDefaults = Array.isArray(args.kw_defaults) ? args.kw_defaults : [];
  const of = (arg: AstNode, fallback: AstField | undefined): Parameter => ({
    name: String(arg.arg),
    ...(isNode(arg.annotation) ? { annotation: arg.annotation } : {}),
    ...(isNode(fallback) ? { default: fallback } : {}),
  });
  return [
    ...positional.map((arg, n) => of(arg, defaults[n - positional.length + defaults.length])),
    ...nodesOf(args.kwonlyargs).map((arg, n) => of(arg, keywordDefaults[n])),
  ];
}

/** Why a function cannot be called by names alone; undefined where it can. */
export function signatureProblem(fn: AstNode): string | undefined {
  const args = fn.args as AstNode;
  if (isNode(args.vararg)) return `takes *${String(args.vararg.arg)}; give each parameter a name`;
  if (isNode(args.kwarg)) return `takes **${String(args.kwarg.arg)}; give each parameter a name`;
  if (nodesOf(args.posonlyargs).length > 0) return 'has parameters that cannot be named in a call';
  // As a property of a JSON object it would be its prototype.
  if (parametersOf(fn).some(({ name }) => name === '__proto__')) return 'has a parameter __proto__';
  return undefined;
}

/** A copy of a tree with every node passed through `change`, children first. */
export function mapTree(node: AstNode, change: (node: AstNode) => AstNode): AstNode {
  const field = (value: AstField | undefined): AstField | undefined => {
    if (isNode(value)) return mapTree(value, change);
    if (Array.isArray(value)) return value.map((item) => field(item) as AstNode);
    return value;
  };
  const out: AstNode = { _: node._ };
  for (const [name, value] of Object.entries(node)) {
    out[name] = node._ === 'Constant' && name === 'value' ? value : field(value);
  }
  return change(out);
}
