import { isNode, walk, type AstNode } from '../python/ast.ts';
import { docstringOf } from './docstring.ts';
import { functionNamed, functionsOf, parametersOf } from './functions.ts';
import { jsonOf, nodesOf, numberOf } from './literals.ts';
import type { ModuleNode } from '../python/ast.ts';

/** Which literals a tool's code holds, and what kind of tool it is. */

/** Every number and text that stands in the code, docstrings aside. */
export function literalsOf(module: ModuleNode): (number | string)[] {
  const docs = new Set(
    [...walk(module)].map(docstringNode).filter((node): node is AstNode => node !== undefined),
  );
  const found = new Set<number | string>();
  for (const node of walk(module)) {
    if (docs.has(node)) continue;
    const number = numberOf(node);
    if (number !== undefined) found.add(number);
    else if (node._ === 'Constant' && typeof node.value === 'string') found.add(node.value);
  }
  return [...found];
}

function docstringNode(node: AstNode): AstNode | undefined {
  if (!['Module', 'FunctionDef', 'ClassDef'].includes(node._) || docstringOf(node) === undefined)
    return undefined;
  const [first] = nodesOf(node.body);
  return first && isNode(first.value) ? first.value : undefined;
}

/** Literals that a handler of exceptions returns or assigns. */
export function handledLiterals(module: ModuleNode): (number | string)[] {
  const found = new Set<number | string>();
  for (const handler of walk(module)) {
    if (handler._ !== 'ExceptHandler') continue;
    for (const node of walk(handler)) {
      if (node._ !== 'Return' && node._ !== 'Assign') continue;
      const value = isNode(node.value) ? jsonOf(node.value) : undefined;
      if (typeof value === 'number' || typeof value === 'string') found.add(value);
    }
  }
  return [...found];
}

/** Knowledge is told, not computed: no parameters, or a text chosen among texts without any arithmetic. */
export function kindOf(module: ModuleNode, entry: string): 'compute' | 'knowledge' {
  const fn = functionNamed(module, entry)!;
  if (parametersOf(fn).length === 0) return 'knowledge';
  const nodes = functionsOf(module).flatMap((each) => [...walk(each)]);
  const computes = nodes.some(
    (node) =>
      node._ === 'BinOp' ||
      node._ === 'AugAssign' ||
      (node._ === 'Return' && isNode(node.value) && numberOf(node.value) !== undefined),
  );
  return !computes && literalsOf(module).some((literal) => typeof literal === 'string' && literal.length > 20)
    ? 'knowledge'
    : 'compute';
}
