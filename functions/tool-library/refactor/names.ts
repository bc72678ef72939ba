import { nodesOf } from '../analysis/literals.ts';
import { isNode, walk, type AstNode } from '../python/ast.ts';

/** Names that code assigns and uses. */

/** Every assignment of a name below some nodes, in order; `top` where it is a plain statement among the nodes themselves. */
export function storesOf(nodes: readonly AstNode[]): { name: string; top: boolean }[] {
  const stores: { name: string; top: boolean }[] = [];
  const targets = (target: unknown, top: boolean): void => {
    if (!isNode(target)) return;
    if (target._ === 'Name') stores.push({ name: String(target.id), top });
    else if (target._ === 'Starred') targets(target.value, false);
    else if (target._ === 'Tuple' || target._ === 'List') {
      for (const part of nodesOf(target.elts)) targets(part, false);
    }
  };
  for (const root of nodes) {
    for (const node of walk(root)) {
      const top = node === root;
      if (node._ === 'Assign') {
        const all = nodesOf(node.targets);
        for (const target of all) targets(target, top && all.length === 1);
      } else if (node._ === 'AnnAssign' || node._ === 'AugAssign') targets(node.target, top);
      else if (node._ === 'For' || node._ === 'comprehension' || node._ === 'NamedExpr') {
        targets(node.target, false);
      } else if (node._ === 'withitem') targets(node.optional_vars, false);
      else if (node._ === 'ExceptHandler' && typeof node.name === 'string') {
        stores.push({ name: node.name, top: false });
      } else if (node._ === 'Lambda') {
        const args = node.args as AstNode;
        const inner = [...nodesOf(args.posonlyargs), ...nodesOf(args.args), ...nodesOf(args.kwonlyargs)];
        for (const part of [...inner, args.vararg, args.kwarg]) {
          if (isNode(part)) stores.push({ name: String(part.arg), top: false });
        }
      }
    }
  }
  return stores;
}

/** Names that occur below some nodes, as `Name`. */
export function namesIn(nodes: readonly AstNode[]): Set<string> {
  const names = new Set<string>();
  for (const node of nodes) {
    for (const each of walk(node)) if (each._ === 'Name') names.add(String(each.id));
  }
  return names;
}

const PYTHON = new Set(
  `False None True and as assert async await break class continue def del elif else except finally for from global if
  import in is lambda nonlocal not or pass raise return try while with yield match case abs all any ascii bin bool
  bytes callable chr complex dict dir divmod enumerate filter float format frozenset getattr hasattr hash hex id int
  isinstance issubclass iter len list map max min next object oct ord pow print range repr reversed round set slice
  sorted str sum super tuple type vars zip math`.split(/\s+/),
);

/** Whether a name means something in Python already. */
export const isPython = (name: string): boolean => PYTHON.has(name);

/** `wanted`, or the first of `wanted_2`, `wanted_3`, … that is not taken; it is taken then. */
export function fresh(wanted: string, taken: Set<string>): string {
  const base = isPython(wanted) ? `${wanted}_value` : wanted;
  let name = base;
  for (let n = 2; taken.has(name); n++) name = `${base}_${n}`;
  taken.add(name);
  return name;
}
