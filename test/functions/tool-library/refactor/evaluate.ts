import { nodesOf, numberOf } from '#functions/tool-library/analysis/literals.ts';
import { isNode, type AstNode, type ModuleNode } from '#functions/tool-library/python/ast.ts';

/** Python's arithmetic as far as the tests' functions use it: assignments and one return, no blocks. */
export function evaluateCall(modules: readonly ModuleNode[], expression: AstNode): number {
  const functions = new Map<string, AstNode>();
  for (const node of modules.flatMap(({ body }) => body)) {
    if (node._ === 'FunctionDef') functions.set(String(node.name), node);
  }
  const value = (node: AstNode, scope: ReadonlyMap<string, number>): number => {
    const number = numberOf(node);
    if (number !== undefined) return number;
    if (node._ === 'Name') {
      const known = scope.get(String(node.id));
      if (known === undefined) throw new Error(`${String(node.id)} is not defined`);
      return known;
    }
    if (node._ === 'UnaryOp') return -value(node.operand as AstNode, scope);
    if (node._ === 'BinOp') {
      const [left, right] = [value(node.left as AstNode, scope), value(node.right as AstNode, scope)];
      const op = (node.op as AstNode)._;
      if (op === 'Add') return left + right;
      if (op === 'Sub') return left - right;
      if (op === 'Mult') return left * right;
      if (op === 'Div') return left / right;
    }
    if (node._ === 'Call') return call(node, scope);
    throw new Error(`cannot evaluate ${node._}`);
  };
  const call = (node: AstNode, outer: ReadonlyMap<string, number>): number => {
    const fn = functions.get(String((node.func as AstNode).id))!;
    const args = fn.args as AstNode;
    const names = nodesOf(args.args).map(({ arg }) => String(arg));
    const defaults = nodesOf(args.defaults);
    const scope = new Map<string, number>();
    for (const [n, fallback] of defaults.entries()) {
      scope.set(names[names.length - defaults.length + n]!, value(fallback, outer));
    }
    for (const [n, arg] of nodesOf(node.args).entries()) scope.set(names[n]!, value(arg, outer));
    for (const keyword of nodesOf(node.keywords)) {
      if (!names.includes(String(keyword.arg))) throw new Error(`no parameter ${String(keyword.arg)}`);
      scope.set(String(keyword.arg), value(keyword.value as AstNode, outer));
    }
    for (const statement of nodesOf(fn.body)) {
      if (statement._ === 'Return') return value(statement.value as AstNode, scope);
      if (statement._ === 'Assign' && isNode(statement.value)) {
        scope.set(String(nodesOf(statement.targets)[0]!.id), value(statement.value, scope));
      }
    }
    throw new Error('no return');
  };
  return value(expression, new Map());
}
