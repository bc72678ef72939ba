import { nodesOf } from '../analysis/literals.ts';
import { mapTree } from '../analysis/functions.ts';
import type { AstNode, ModuleNode } from '../python/ast.ts';
import { stripLines, type Skeleton } from './forms.ts';
import type { Generalisation } from './generalise.ts';
import { importStatements } from './imports.ts';
import type { Wording } from './naming.ts';
import { fill } from './skeleton.ts';

/** Syntax trees of merged functions. */

export const name = (id: string): AstNode => ({ _: 'Name', id });

/** A function definition; parameters with a default stand after those without. */
export function functionNode(
  id: string,
  parameters: readonly { name: string; default?: AstNode }[],
  docstring: string | undefined,
  body: readonly AstNode[],
): AstNode {
  const doc: AstNode[] =
    docstring === undefined ? [] : [{ _: 'Expr', value: { _: 'Constant', value: indented(docstring) } }];
  return {
    _: 'FunctionDef',
    name: id,
    args: {
      _: 'arguments',
      posonlyargs: [],
      args: parameters.map((parameter) => ({ _: 'arg', arg: parameter.name, annotation: null })),
      vararg: null,
      kwonlyargs: [],
      kw_defaults: [],
      kwarg: null,
      defaults: parameters.flatMap((parameter) => (parameter.default ? [stripLines(parameter.default)] : [])),
    },
    body: [...doc, ...body],
    decorator_list: [],
    returns: null,
    type_params: [],
  };
}

/** Lines after the first stand at the function's indent; more than one line ends on a line of its own. */
const indented = (text: string): string => {
  const lines = text.split('\n');
  if (lines.length === 1) return text;
  return `${lines.map((line, n) => (n > 0 && line !== '' ? `    ${line}` : line)).join('\n')}\n    `;
};

/** The merged function of a generalisation. */
export function mergedFunction(merged: Generalisation, wording: Wording): AstNode {
  const byHole = new Map<number, AstNode>(merged.constants);
  const parameters = merged.variables.map((variable, index) => {
    const id = wording.parameters[index]!;
    for (const hole of variable.holes) byHole.set(hole, name(id));
    return { name: id, ...(variable.default ? { default: variable.default } : {}) };
  });
  const body = fill(merged.skeletons[0]!, (hole) => stripLines(byHole.get(hole)!), wording.locals);
  return functionNode(wording.name, parameters, wording.docstring, body);
}

export const moduleNode = (imports: Iterable<string>, body: readonly AstNode[]): ModuleNode => ({
  _: 'Module',
  body: [...importStatements(imports), ...body],
});

/**
 * The definitions that merged functions need, once each. Two different ones of one name: the later is renamed, in its
 * own group alone.
 */
export class Support {
  readonly nodes: AstNode[] = [];
  readonly imports = new Set<string>();
  readonly #known = new Map<string, string>();
  readonly #taken: Set<string>;

  constructor(taken: Set<string>) {
    this.#taken = taken;
  }

  /** Adds a group's definitions; gives the new names of those that had to be renamed. */
  add(skeleton: Skeleton): Map<string, string> {
    const renames = new Map<string, string>();
    const fresh: AstNode[] = [];
    for (const node of skeleton.support) {
      for (const id of definedNames(node)) {
        const text = JSON.stringify(skeleton.support);
        const known = this.#known.get(id);
        if (known === text) continue;
        if (known !== undefined || this.#taken.has(id)) {
          let n = 2;
          while (this.#taken.has(`${id}_${n}`)) n++;
          renames.set(id, `${id}_${n}`);
        }
        this.#taken.add(renames.get(id) ?? id);
        if (known === undefined) this.#known.set(id, text);
        if (!fresh.includes(node)) fresh.push(node);
      }
    }
    this.nodes.push(...fresh.map((node) => renamed(node, renames)));
    if (skeleton.support.length > 0) for (const module of skeleton.imports) this.imports.add(module);
    return renames;
  }
}

const definedNames = (node: AstNode): string[] => {
  if (typeof node.name === 'string') return [node.name];
  const targets = node._ === 'Assign' ? nodesOf(node.targets) : [];
  return targets.flatMap((target) => (target._ === 'Name' ? [String(target.id)] : []));
};

/** A tree with other names of functions, classes and what refers to them. */
export const renamed = (node: AstNode, renames: ReadonlyMap<string, string>): AstNode =>
  renames.size === 0
    ? node
    : mapTree(node, (each) => {
        if (each._ === 'Name') {
          const to = renames.get(String(each.id));
          return to === undefined ? each : { ...each, id: to };
        }
        if (each._ !== 'FunctionDef' && each._ !== 'ClassDef') return each;
        const to = renames.get(String(each.name));
        return to === undefined ? each : { ...each, name: to };
      });
