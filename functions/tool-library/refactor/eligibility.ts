import { functionNamed, parametersOf, signatureProblem } from '../analysis/functions.ts';
import { isLiteral, nodesOf } from '../analysis/literals.ts';
import { usesOf } from '../analysis/rename.ts';
import { isNode, walk, type AstNode } from '../python/ast.ts';
import { storesOf } from './names.ts';
import type { SourceTool } from './forms.ts';

/** Nodes that a function must not have to be merged with others. */
const STRANGE: Record<string, string> = {
  AsyncFunctionDef: 'is asynchronous',
  AsyncFor: 'is asynchronous',
  AsyncWith: 'is asynchronous',
  Await: 'is asynchronous',
  Yield: 'is a generator',
  YieldFrom: 'is a generator',
  Global: 'changes globals',
  Nonlocal: 'changes names of an outer function',
  Match: 'matches patterns',
  Delete: 'deletes names',
};
const TOP_LEVEL = new Set(['Import', 'ImportFrom', 'FunctionDef', 'ClassDef', 'Assign', 'AnnAssign']);

/**
 * Why a tool stands alone (step 1): eligible are imports, constants, definitions, classes and one entry; without
 * decorators, `*args`, globals and generators.
 * @returns undefined where it is eligible.
 */
export function ineligible(tool: SourceTool): string | undefined {
  const { ast } = tool;
  const entry = functionNamed(ast, tool.entry);
  if (!entry) return 'has no function of its entry name';
  for (const [index, statement] of ast.body.entries()) {
    if (index === 0 && isText(statement)) continue;
    if (!TOP_LEVEL.has(statement._)) return `has a ${statement._} statement beside its definitions`;
    if (statement._ === 'ImportFrom' && nodesOf(statement.names).some(({ name }) => name === '*')) {
      return 'imports *';
    }
  }
  const names = ast.body.flatMap((node) => (typeof node.name === 'string' ? [node.name] : []));
  if (new Set(names).size < names.length) return 'defines a name twice';
  const signature = signatureProblem(entry);
  if (signature !== undefined) return signature;
  if (parametersOf(entry).some((parameter) => parameter.default && !isLiteral(parameter.default))) {
    return 'has a default that is no literal';
  }
  // A local of the same name is another thing.
  if ([...usesOf(ast, tool.entry)].some((use) => use !== entry)) return 'calls itself';
  return inFunction(entry) ?? inSupport(ast.body.filter((node) => node !== entry));
}

function inFunction(entry: AstNode): string | undefined {
  if (nodesOf(entry.decorator_list).length > 0) return 'has a decorator';
  const parameters = new Set(parametersOf(entry).map(({ name }) => name));
  for (const node of walk(entry)) {
    if (node === entry) continue;
    if (node._ === 'FunctionDef' || node._ === 'ClassDef') return 'defines functions inside';
    if (STRANGE[node._] !== undefined) return STRANGE[node._];
    if (node._ === 'Lambda' || node._ === 'comprehension') {
      const inner = node._ === 'Lambda' ? nodesOf((node.args as AstNode).args).map(({ arg }) => arg) : [];
      const names = node._ === 'Lambda' ? inner : storesOf([node]).map(({ name }) => name);
      if (names.some((name) => parameters.has(String(name)))) return 'hides a parameter';
    }
  }
  return undefined;
}

function inSupport(nodes: readonly AstNode[]): string | undefined {
  for (const node of nodes.flatMap((each) => [...walk(each)])) {
    if (node._ === 'Global' || node._ === 'Nonlocal') return STRANGE[node._];
  }
  return undefined;
}

const isText = (node: AstNode): boolean =>
  node._ === 'Expr' && isNode(node.value) && node.value._ === 'Constant';
