import { nodesOf, numberOf } from '../analysis/literals.ts';
import { isNode, type AstField, type AstNode } from '../python/ast.ts';
import type { Leaf, NormalForm, Skeleton } from './forms.ts';
import { leafKey } from './forms.ts';

/**
 * Operands in order and skeletons (steps 3 and 4). Parameters and literals become holes; attributes, indices, keys,
 * formats, digits of `round`, booleans and None stay.
 */

interface Shape {
  node: AstNode;
  text: string;
  leaves: Leaf[];
  /** Operators, calls, comparisons below and here. */
  operators: number;
  /** Nothing but numbers and arithmetic, so `+` commutes where parameters are numbers. */
  arithmetic: boolean;
}

interface Scope {
  parameters: ReadonlySet<string>;
  locals: ReadonlyMap<string, number>;
  numeric: boolean;
  occurrences: ReadonlyMap<string, number>;
  first: ReadonlyMap<string, number>;
}

const OPERATORS = new Set([
  'BinOp',
  'UnaryOp',
  'BoolOp',
  'Compare',
  'Call',
  'IfExp',
  'JoinedStr',
  'Subscript',
]);
const ARITHMETIC = new Set(['BinOp', 'UnaryOp', 'IfExp', 'Compare', 'BoolOp']);

export function skeletonOf(form: NormalForm): Skeleton {
  const parameters = new Set(form.parameters.map(({ name }) => name));
  const locals = new Map(form.locals.map((name, index) => [name, index]));
  const seen: string[] = [];
  for (const statement of form.body) collect(statement, parameters, locals, seen);
  const occurrences = new Map<string, number>();
  const first = new Map<string, number>();
  for (const [index, key] of seen.entries()) {
    occurrences.set(key, (occurrences.get(key) ?? 0) + 1);
    if (!first.has(key)) first.set(key, index);
  }
  const scope: Scope = { parameters, locals, numeric: form.numeric, occurrences, first };
  const shapes = form.body.map((statement) => shapeOf(statement, scope, false));
  const support = form.support.map((node) => JSON.stringify(node)).join('\n');
  return {
    ...form,
    body: shapes.map(({ node }) => node),
    text: [...shapes.map(({ text }) => text), ...(support === '' ? [] : [support])].join('\n'),
    leaves: shapes.flatMap(({ leaves }) => leaves),
    operators:
      shapes.reduce((sum, { operators }) => sum + operators, 0) +
      form.body.filter(({ _ }) => _ !== 'Return').length,
  };
}

/** A node as a leaf: a parameter's name, a number or a text. */
export function leafOf(
  node: AstNode,
  parameters: ReadonlySet<string>,
  locals: ReadonlyMap<string, number>,
): Leaf | undefined {
  if (node._ === 'Name') {
    const name = String(node.id);
    return parameters.has(name) && !locals.has(name) ? { kind: 'parameter', name } : undefined;
  }
  const literal = numberOf(node) !== undefined || (node._ === 'Constant' && typeof node.value === 'string');
  return literal ? { kind: 'literal', node } : undefined;
}

/** Leaves in the order they are written. */
function collect(
  node: AstNode,
  parameters: ReadonlySet<string>,
  locals: ReadonlyMap<string, number>,
  out: string[],
): void {
  const leaf = leafOf(node, parameters, locals);
  if (leaf) {
    out.push(leafKey(leaf));
    return;
  }
  for (const field of fieldsOf(node)) {
    for (const child of field.nodes) collect(child, parameters, locals, out);
  }
}

interface Field {
  name: string;
  nodes: AstNode[];
  list: boolean;
  /** Literals in it are part of the skeleton. */
  frozen: boolean;
  plain?: string;
}

/** Whether literals in a field are structure, not data. */
function isFrozen(node: AstNode, field: string): boolean {
  if (node._ === 'Subscript') return field === 'slice';
  if (node._ === 'Dict') return field === 'keys';
  if (node._ === 'JoinedStr' || node._ === 'FormattedValue')
    return field === 'values' || field === 'format_spec';
  if (node._ === 'Attribute') return true;
  return node._ === 'Call' && field === 'func';
}

export function fieldsOf(node: AstNode): Field[] {
  const fields: Field[] = [];
  for (const [name, value] of Object.entries(node) as [string, AstField][]) {
    if (name === '_' || name === 'lineno' || name === 'type_params' || name === 'kind') continue;
    const frozen = isFrozen(node, name);
    if (isNode(value)) fields.push({ name, nodes: [value], list: false, frozen });
    else if (Array.isArray(value)) {
      const nodes = nodesOf(value);
      fields.push({
        name,
        nodes,
        list: true,
        frozen,
        ...(nodes.length < value.length ? { plain: gaps(value) } : {}),
      });
    } else fields.push({ name, nodes: [], list: false, frozen, plain: JSON.stringify(value) });
  }
  return fields;
}

const gaps = (value: AstField[]): string => value.map((item) => (isNode(item) ? 1 : 0)).join('');

function shapeOf(node: AstNode, scope: Scope, frozen: boolean): Shape {
  const leaf = leafOf(node, scope.parameters, scope.locals);
  if (leaf && !(frozen && leaf.kind === 'literal')) {
    const arithmetic = leaf.kind === 'literal' ? numberOf(leaf.node) !== undefined : scope.numeric;
    return { node, text: '□', leaves: [leaf], operators: 0, arithmetic };
  }
  if (node._ === 'Name') {
    const index = scope.locals.get(String(node.id));
    const text = index === undefined ? String(node.id) : `$${index}`;
    return { node, text, leaves: [], operators: 0, arithmetic: false };
  }
  if (node._ === 'Constant') {
    return { node, text: JSON.stringify(node.value), leaves: [], operators: 0, arithmetic: false };
  }
  if (node._ === 'BinOp') return binary(node, scope, frozen);
  return general(node, scope, frozen);
}

function binary(node: AstNode, scope: Scope, frozen: boolean): Shape {
  const left = shapeOf(node.left as AstNode, scope, frozen);
  const right = shapeOf(node.right as AstNode, scope, frozen);
  const op = (node.op as AstNode)._;
  const arithmetic = left.arithmetic && right.arithmetic;
  const commutes = op === 'Mult' || (op === 'Add' && arithmetic);
  const [one, two] = commutes && compare(left, right, scope) > 0 ? [right, left] : [left, right];
  return {
    node: { _: 'BinOp', left: one.node, op: node.op!, right: two.node },
    text: `(${one.text}${SYMBOLS[op] ?? op}${two.text})`,
    leaves: [...one.leaves, ...two.leaves],
    operators: one.operators + two.operators + 1,
    arithmetic,
  };
}

export const SYMBOLS: Record<string, string> = {
  Add: '+',
  Sub: '-',
  Mult: '*',
  Div: '/',
  FloorDiv: '//',
  Mod: '%',
  Pow: '**',
};

/** By skeleton, larger ones first; then leaf by leaf. */
function compare(a: Shape, b: Shape, scope: Scope): number {
  if (a.text !== b.text) {
    return b.operators - a.operators || b.text.length - a.text.length || (a.text < b.text ? -1 : 1);
  }
  for (const [index, leaf] of a.leaves.entries()) {
    const order = compareLeaves(leaf, b.leaves[index]!, scope);
    if (order !== 0) return order;
  }
  return 0;
}

/** A parameter's occurrences, more first; parameters before literals; first use. */
function compareLeaves(a: Leaf, b: Leaf, scope: Scope): number {
  if (a.kind !== b.kind) return a.kind === 'parameter' ? -1 : 1;
  const [one, two] = [leafKey(a), leafKey(b)];
  if (a.kind === 'parameter') {
    const order = (scope.occurrences.get(two) ?? 0) - (scope.occurrences.get(one) ?? 0);
    if (order !== 0) return order;
  }
  return (scope.first.get(one) ?? 0) - (scope.first.get(two) ?? 0);
}

function general(node: AstNode, scope: Scope, frozen: boolean): Shape {
  const out: AstNode = { _: node._ };
  const leaves: Leaf[] = [];
  let text = `${node._}(`;
  let operators = OPERATORS.has(node._) ? 1 : 0;
  let arithmetic = ARITHMETIC.has(node._) || isNumeric(node);
  for (const field of fieldsOf(node)) {
    const shapes = field.nodes.map((child, index) => {
      return shapeOf(child, scope, frozen || field.frozen || isDigits(node, field.name, index));
    });
    for (const shape of shapes) {
      leaves.push(...shape.leaves);
      operators += shape.operators;
      if (!shape.arithmetic && field.name !== 'op' && field.name !== 'func' && field.name !== 'ops')
        arithmetic = false;
    }
    const plain = field.plain === undefined ? '' : nameText(node, field.name, field.plain, scope);
    text += `${field.name}=${plain}[${shapes.map((shape) => shape.text).join(',')}]`;
    if (field.list)
      out[field.name] = refill(
        node[field.name] as AstField[],
        shapes.map((shape) => shape.node),
      );
    else out[field.name] = shapes[0]?.node ?? node[field.name];
  }
  return { node: out, text: `${text})`, leaves, operators, arithmetic };
}

/** Calls whose value is a number whatever they are given. */
const isNumeric = (node: AstNode): boolean =>
  node._ === 'Call' &&
  isNode(node.func) &&
  ((node.func._ === 'Name' && ['abs', 'round', 'int', 'float', 'len'].includes(String(node.func.id))) ||
    (node.func._ === 'Attribute' && isNode(node.func.value) && node.func.value.id === 'math'));

/** The digits of `round` are structure. */
const isDigits = (node: AstNode, field: string, index: number): boolean =>
  node._ === 'Call' &&
  isNode(node.func) &&
  node.func._ === 'Name' &&
  node.func.id === 'round' &&
  (field === 'keywords' || (field === 'args' && index === 1));

const isNamedBy = (node: AstNode, field: string): boolean =>
  (node._ === 'ExceptHandler' && field === 'name') || (node._ === 'arg' && field === 'arg');

/** Names of handlers and of lambda's arguments are locals too. */
function nameText(node: AstNode, field: string, plain: string, scope: Scope): string {
  const index = isNamedBy(node, field) ? scope.locals.get(String(node[field])) : undefined;
  return index === undefined ? plain : `$${index}`;
}

const refill = (before: AstField[], nodes: AstNode[]): AstField[] => {
  let next = 0;
  return before.map((item) => (isNode(item) ? nodes[next++]! : item));
};

/** What stands in a hole: `hole` counts from 0, `field` is the hole's place in its parent. */
export type HoleFiller = (hole: number, parent: AstNode, field: string) => AstNode;

/** A skeleton's body with other leaves, in the order of its holes, and other names of its locals. */
export function fill(skeleton: Skeleton, at: HoleFiller, names: readonly string[]): AstNode[] {
  const parameters = new Set(skeleton.parameters.map(({ name }) => name));
  const locals = new Map(skeleton.locals.map((name, n) => [name, n]));
  let hole = 0;
  const visit = (node: AstNode, frozen: boolean, parent: AstNode, field: string): AstNode => {
    const leaf = leafOf(node, parameters, locals);
    if (leaf && !(frozen && leaf.kind === 'literal')) return at(hole++, parent, field);
    if (node._ === 'Name') {
      const local = locals.get(String(node.id));
      return local === undefined ? node : { ...node, id: names[local]! };
    }
    if (node._ === 'Constant') return node;
    const out: AstNode = { _: node._ };
    for (const each of fieldsOf(node)) {
      const nodes = each.nodes.map((child, n) =>
        visit(child, frozen || each.frozen || isDigits(node, each.name, n), node, each.name),
      );
      if (each.list) out[each.name] = refill(node[each.name] as AstField[], nodes);
      else out[each.name] = nodes[0] ?? node[each.name];
      const local = isNamedBy(node, each.name) ? locals.get(String(node[each.name])) : undefined;
      if (local !== undefined) out[each.name] = names[local]!;
    }
    return out;
  };
  return skeleton.body.map((statement) => visit(statement, false, statement, ''));
}
