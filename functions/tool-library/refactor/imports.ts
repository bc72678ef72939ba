import { mapTree } from '../analysis/functions.ts';
import { nodesOf } from '../analysis/literals.ts';
import { walk, type AstNode } from '../python/ast.ts';

/** Aliases of imports resolved (step 2): `from math import sqrt as s` and `import math as m` both make `math.sqrt`. */

export interface Imports {
  /** What a name stands for: a dotted path. */
  aliases: Map<string, string>;
  /** Modules to import. */
  modules: Set<string>;
}

/** All imports below a node, those inside functions included. */
export function importsOf(tree: AstNode): Imports {
  const aliases = new Map<string, string>();
  const modules = new Set<string>();
  for (const node of walk(tree)) {
    if (node._ === 'Import') {
      for (const { name, asname } of nodesOf(node.names)) {
        modules.add(String(name));
        if (typeof asname === 'string') aliases.set(asname, String(name));
      }
    } else if (node._ === 'ImportFrom' && typeof node.module === 'string' && node.module !== '__future__') {
      modules.add(node.module);
      for (const { name, asname } of nodesOf(node.names)) {
        aliases.set(typeof asname === 'string' ? asname : String(name), `${node.module}.${String(name)}`);
      }
    }
  }
  return { aliases, modules };
}

const dotted = (path: string): AstNode =>
  path
    .split('.')
    .reduce<AstNode | undefined>(
      (value, part) => (value ? { _: 'Attribute', value, attr: part } : { _: 'Name', id: part }),
      undefined,
    )!;

/** A tree with every imported name as its dotted path; `hidden` names are the function's own. */
export const resolveImports = (
  tree: AstNode,
  aliases: ReadonlyMap<string, string>,
  hidden: ReadonlySet<string>,
): AstNode =>
  aliases.size === 0
    ? tree
    : mapTree(tree, (node) => {
        const id = node._ === 'Name' ? String(node.id) : undefined;
        const path = id === undefined || hidden.has(id) ? undefined : aliases.get(id);
        return path === undefined ? node : dotted(path);
      });

export const importStatements = (modules: Iterable<string>): AstNode[] =>
  [...new Set(modules)].sort().map((name) => ({ _: 'Import', names: [{ _: 'alias', name, asname: null }] }));
