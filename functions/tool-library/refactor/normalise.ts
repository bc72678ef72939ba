import { mapTree, parametersOf, functionNamed } from '../analysis/functions.ts';
import { docstringOf, readDocstring } from '../analysis/docstring.ts';
import { isLiteral, nodesOf, numberOf } from '../analysis/literals.ts';
import { isNode, walk, type AstNode } from '../python/ast.ts';
import type { NormalForm, SourceTool } from './forms.ts';
import { importsOf, resolveImports } from './imports.ts';
import { inlineTemporaries } from './inline.ts';
import { fresh, namesIn, storesOf } from './names.ts';
import { sourceWords } from './docstring.ts';

/** Normal forms (step 2): what two people who mean the same may write differently is gone. */

export function normalise(tool: SourceTool): NormalForm {
  const { aliases, modules } = importsOf(tool.ast);
  const entry = functionNamed(tool.ast, tool.entry)!;
  const local = new Set([
    ...storesOf(nodesOf(entry.body)).map(({ name }) => name),
    ...parametersOf(entry).map(({ name }) => name),
  ]);
  const clean = (node: AstNode, hidden: ReadonlySet<string>): AstNode =>
    resolveImports(withoutWords(node), aliases, hidden);
  const others = tool.ast.body.filter(
    (node) => node !== entry && !/^Import/.test(node._) && node._ !== 'Expr',
  );
  const { constants, rest } = splitConstants(others, local);
  const parameters = parametersOf(entry);
  let body = nodesOf(clean(entry, local).body).filter(
    ({ _ }) => _ !== 'Import' && _ !== 'ImportFrom' && _ !== 'Pass',
  );
  if (constants.size > 0)
    body = body.map((node) =>
      mapTree(node, (each) => (each._ === 'Name' && constants.get(String(each.id))) || each),
    );
  body = copyAssignedParameters(
    body,
    parameters.map(({ name }) => name),
  );
  body = inlineTemporaries(
    body,
    parameters.map(({ name }) => name),
  ).map(foldSigns);
  const support = needed(
    rest.map((node) => clean(node, new Set())),
    body,
  );
  const used = namesIn([...body, ...support]);
  const docstring = readDocstring(docstringOf(entry));
  const docs = docstring.parameters;
  return {
    toolId: tool.id,
    name: tool.name,
    parameters: parameters.map(({ name, default: fallback }) => ({
      name,
      ...(fallback ? { default: foldSigns(fallback) } : {}),
      ...(docs.has(name) ? { description: docs.get(name)! } : {}),
    })),
    body,
    locals: [...new Set(storesOf(body).map(({ name }) => name))],
    imports: [...modules].filter((module) => used.has(module.split('.')[0]!)).sort(),
    support,
    numeric: isNumeric(tool),
    ...(tool.merged === true ? { words: sourceWords(docstring) } : {}),
  };
}

const isNumeric = ({ cases }: SourceTool): boolean =>
  cases.length > 0 &&
  cases.every(({ shape }) => [...shape.arguments.values()].every((node) => numberOf(node) !== undefined));

/** Without docstrings, annotations and line numbers. */
export function withoutWords(node: AstNode): AstNode {
  return mapTree(node, (each) => {
    const { lineno: _line, ...rest } = each;
    const out: AstNode = rest as AstNode;
    if (out._ === 'arg') return { ...out, annotation: null };
    if (out._ === 'AnnAssign' && isNode(out.value)) {
      return { _: 'Assign', targets: [out.target as AstNode], value: out.value };
    }
    if (!Array.isArray(out.body)) return out;
    const body = nodesOf(out.body).filter(
      (part) =>
        !(part._ === 'AnnAssign') &&
        !(part._ === 'Expr' && isNode(part.value) && part.value._ === 'Constant'),
    );
    return {
      ...out,
      body: body.length > 0 ? body : [{ _: 'Pass' }],
      ...(out._ === 'FunctionDef' ? { returns: null } : {}),
    };
  });
}

/** Constants of a module that are one number or text and are never changed go into the function as literals. */
function splitConstants(
  nodes: readonly AstNode[],
  local: ReadonlySet<string>,
): { constants: Map<string, AstNode>; rest: AstNode[] } {
  const constants = new Map<string, AstNode>();
  const count = new Map<string, number>();
  for (const { name } of storesOf(nodes)) count.set(name, (count.get(name) ?? 0) + 1);
  const rest = nodes.filter((node) => {
    if (node._ !== 'Assign' && node._ !== 'AnnAssign') return true;
    const target = node._ === 'Assign' ? nodesOf(node.targets)[0] : (node.target as AstNode);
    const name = target?._ === 'Name' ? String(target.id) : undefined;
    const { value } = node;
    if (name === undefined || count.get(name) !== 1 || local.has(name) || !isNode(value)) return true;
    const plain =
      numberOf(value) !== undefined || (value._ === 'Constant' && typeof value.value === 'string');
    if (!plain) return true;
    constants.set(name, value);
    return nodes.some((other) => other !== node && namesIn([other]).has(name));
  });
  return { constants, rest };
}

/** A parameter that the body assigns inside a block gets a local copy, so that a literal may stand in its place. */
function copyAssignedParameters(body: AstNode[], parameters: readonly string[]): AstNode[] {
  const stores = storesOf(body);
  const assigned = parameters.filter((name) => stores.some((store) => store.name === name && !store.top));
  if (assigned.length === 0) return body;
  const taken = new Set([...namesIn(body), ...parameters]);
  const copies = new Map(assigned.map((name) => [name, fresh(`${name}_now`, taken)]));
  const renamed = body.map((node) =>
    mapTree(node, (each) => {
      const copy = each._ === 'Name' ? copies.get(String(each.id)) : undefined;
      return copy === undefined ? each : { ...each, id: copy };
    }),
  );
  const first = [...copies].map(([name, copy]): AstNode => ({
    _: 'Assign',
    targets: [{ _: 'Name', id: copy }],
    value: { _: 'Name', id: name },
  }));
  return [...first, ...renamed];
}

/** Minus before a number is part of the number; plus before anything is nothing. */
export const foldSigns = (node: AstNode): AstNode =>
  mapTree(node, (each) => {
    if (each._ !== 'UnaryOp' || !isNode(each.op) || !isNode(each.operand)) return each;
    if (each.op._ === 'UAdd' && isLiteral(each.operand)) return each.operand;
    const inner = each.operand;
    const double = each.op._ === 'USub' && inner._ === 'UnaryOp' && isNode(inner.op) && inner.op._ === 'USub';
    return double && isNode(inner.operand) && isLiteral(inner.operand) ? inner.operand : each;
  });

/** The definitions a body needs, directly or through others, in their order. */
function needed(support: readonly AstNode[], body: readonly AstNode[]): AstNode[] {
  const definedBy = (node: AstNode): string[] =>
    typeof node.name === 'string' ? [node.name] : storesOf([node]).map(({ name }) => name);
  const kept = new Set<AstNode>();
  const visit = (names: ReadonlySet<string>): void => {
    for (const node of support) {
      if (kept.has(node) || !definedBy(node).some((name) => names.has(name))) continue;
      kept.add(node);
      visit(namesIn([node]));
    }
  };
  visit(namesIn(body));
  return support.filter((node) => kept.has(node));
}

const OPERATORS = new Set([
  'Add',
  'Sub',
  'Mult',
  'Div',
  'FloorDiv',
  'Mod',
  'Pow',
  'USub',
  'UAdd',
  'Not',
  'And',
  'Or',
]);

/** Nodes of a tree without the signs of its operators: what sizes are counted in. */
export const sizeOf = (node: AstNode): number => {
  let size = 0;
  for (const each of walk(node)) if (!OPERATORS.has(each._)) size++;
  return size;
};
