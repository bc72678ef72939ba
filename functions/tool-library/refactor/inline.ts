import { mapTree } from '../analysis/functions.ts';
import { nodesOf, numberOf } from '../analysis/literals.ts';
import { isNode, walk, type AstNode } from '../python/ast.ts';
import { storesOf } from './names.ts';

/** Inlining of temporaries (step 2): `earned = price * roses; return earned - spent` is one expression. */

/** Most nodes of a value that is written out at each use. */
const MAX_NODES = 300;

const PURE_CALLS = new Set(['abs', 'round', 'min', 'max', 'int', 'float', 'pow', 'divmod', 'bool']);
const PURE_NODES = new Set([
  'BinOp', 'UnaryOp', 'BoolOp', 'Compare', 'IfExp', 'Name', 'Constant', 'Add', 'Sub', 'Mult', 'Div', 'FloorDiv', 'Mod',
  'Pow', 'USub', 'UAdd', 'Not', 'And', 'Or', 'Eq', 'NotEq', 'Lt', 'LtE', 'Gt', 'GtE',
]); // prettier-ignore

/** Whether a value is arithmetic alone: no effects, no containers. */
export function isPure(node: AstNode): boolean {
  if (node._ === 'Call') {
    return (
      isPureFunction(node.func) && nodesOf(node.keywords).length === 0 && nodesOf(node.args).every(isPure)
    );
  }
  if (node._ === 'Attribute') return isPureFunction(node);
  if (!PURE_NODES.has(node._)) return false;
  if (node._ === 'Constant') return numberOf(node) !== undefined || typeof node.value === 'boolean';
  for (const value of Object.values(node)) {
    if (isNode(value) ? !isPure(value) : Array.isArray(value) && !nodesOf(value).every(isPure)) return false;
  }
  return true;
}

const isPureFunction = (func: unknown): boolean => {
  if (!isNode(func)) return false;
  if (func._ === 'Name') return PURE_CALLS.has(String(func.id));
  return func._ === 'Attribute' && isNode(func.value) && func.value._ === 'Name' && func.value.id === 'math';
};

/**
 * The statements of a body with pure temporaries in the place of their uses. A name takes part if all its assignments
 * are plain statements of the body itself, so that each use sees one value; several assignments are several values.
 */
export function inlineTemporaries(body: readonly AstNode[], parameters: readonly string[]): AstNode[] {
  const nodes = body.flatMap((statement) => [...walk(statement)]);
  // An exception raised elsewhere than before would be caught, or not; a lambda sees the last value, not the one then.
  if (nodes.some(({ _ }) => _ === 'Try' || _ === 'TryStar')) return [...body];
  const lambdas = nodes.some(({ _ }) => _ === 'Lambda');
  const stores = storesOf(body);
  const inBlocks = new Set(stores.filter(({ top }) => !top).map(({ name }) => name));
  const changed = changedInPlace(nodes);
  const times = new Map<string, number>();
  for (const { name } of stores) times.set(name, (times.get(name) ?? 0) + 1);
  const candidates = new Set(
    stores
      .map(({ name }) => name)
      .filter((name) => !inBlocks.has(name) && !changed.has(name))
      .filter((name) => !lambdas || (times.get(name) === 1 && !parameters.includes(name))),
  );
  const steady = (name: string): boolean =>
    !changed.has(name) && !inBlocks.has(name) && (times.get(name) ?? 0) <= 1;
  const kept = impure(body, candidates, steady);
  for (const name of kept) candidates.delete(name);
  return substitute(body, candidates);
}

/** Names whose value something may change where it is: receivers of methods and of items. */
function changedInPlace(nodes: readonly AstNode[]): Set<string> {
  const changed = new Set<string>();
  for (const node of nodes) {
    if (node._ !== 'Attribute' && node._ !== 'Subscript') continue;
    if (isNode(node.value) && node.value._ === 'Name') changed.add(String(node.value.id));
  }
  return changed;
}

const targetOf = (statement: AstNode): string | undefined => {
  const target =
    statement._ === 'Assign' && nodesOf(statement.targets).length === 1
      ? nodesOf(statement.targets)[0]!
      : statement._ === 'AugAssign' && isNode(statement.target)
        ? statement.target
        : undefined;
  return target?._ === 'Name' ? String(target.id) : undefined;
};

/** Candidates with a value that cannot be written out: not pure, too long, or of names that change meanwhile. */
function impure(
  body: readonly AstNode[],
  candidates: ReadonlySet<string>,
  steady: (name: string) => boolean,
): Set<string> {
  const out = new Set<string>();
  const sizes = new Map<string, number>();
  for (let changed = true; changed;) {
    changed = false;
    sizes.clear();
    for (const statement of body) {
      const name = targetOf(statement);
      if (name === undefined || !candidates.has(name) || out.has(name) || !isNode(statement.value)) continue;
      let size = statement._ === 'AugAssign' ? (sizes.get(name) ?? 1) + 1 : 0;
      let fits = isPure(statement.value);
      for (const node of walk(statement.value)) {
        const id = node._ === 'Name' ? String(node.id) : undefined;
        size += (id === undefined ? undefined : sizes.get(id)) ?? 1;
        // A name that stays and is assigned again could have another value at the use.
        if (id !== undefined && (!candidates.has(id) || out.has(id)) && !steady(id)) fits = false;
      }
      if (statement._ === 'AugAssign' && !PURE_NODES.has((statement.op as AstNode)._)) fits = false;
      if (!fits || size > MAX_NODES) {
        out.add(name);
        changed = true;
      }
      sizes.set(name, size);
    }
  }
  return out;
}

function substitute(body: readonly AstNode[], candidates: ReadonlySet<string>): AstNode[] {
  const values = new Map<string, AstNode>();
  const replaced = (node: AstNode): AstNode =>
    mapTree(node, (each) => (each._ === 'Name' ? (values.get(String(each.id)) ?? each) : each));
  const out: AstNode[] = [];
  for (const statement of body) {
    const name = targetOf(statement);
    if (name === undefined || !candidates.has(name) || !isNode(statement.value)) {
      out.push(replaced(statement));
      continue;
    }
    const value = replaced(statement.value);
    const before = values.get(name) ?? { _: 'Name', id: name };
    values.set(
      name,
      statement._ === 'AugAssign' ? { _: 'BinOp', left: before, op: statement.op!, right: value } : value,
    );
  }
  return out;
}
