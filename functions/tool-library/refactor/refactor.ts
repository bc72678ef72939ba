import { functionNamed, parametersOf } from '../analysis/functions.ts';
import type { AstNode, ModuleNode } from '../python/ast.ts';
import { ineligible } from './eligibility.ts';
import { mergedFunction, moduleNode, renamed, Support } from './emit.ts';
import type { NormalForm, Skeleton, SourceTool } from './forms.ts';
import { generalise, type Generalisation } from './generalise.ts';
import { groupsOf } from './groups.ts';
import { shareHelpers } from './helpers.ts';
import { mapExpression, originOf, type Adapter } from './mapping.ts';
import { namesIn } from './names.ts';
import { wordingOf, type Wording } from './naming.ts';
import { normalise } from './normalise.ts';

/** Refactoring by anti-unification (specification section 6): tools of one cluster become fewer, more general ones. */

export interface RefactorOptions {
  /** Merge skeletons that differ by one outer leaf (step 7). */
  widen: boolean;
  /** Share sub-expressions (step 8). */
  helpers: boolean;
  /** Tools that take part in neither. */
  plain?: ReadonlySet<string>;
}

export interface MergedFunction {
  name: string;
  /** Its imports and its definition. */
  code: ModuleNode;
  toolIds: string[];
  /** How a tool's calls become calls of it, by tool id. */
  adapters: Map<string, Adapter>;
}

export interface Refactoring {
  functions: MergedFunction[];
  /** Definitions, helpers and constants they share; absent where there are none. */
  module?: ModuleNode;
  /** Tools that stand alone, and why. */
  alone: Map<string, string>;
}

/** Normal forms of the eligible tools; why the others are not. */
export function normalForms(tools: readonly SourceTool[]): {
  forms: NormalForm[];
  alone: Map<string, string>;
} {
  const forms: NormalForm[] = [];
  const alone = new Map<string, string>();
  for (const tool of tools) {
    const reason = ineligible(tool);
    if (reason === undefined) forms.push(normalise(tool));
    else alone.set(tool.id, `The tool ${reason}.`);
  }
  return { forms, alone };
}

/** Merges tools. @returns functions in the order of their first tool, those of `plain` tools last. */
export function refactor(tools: readonly SourceTool[], options: RefactorOptions): Refactoring {
  const { forms, alone } = normalForms(tools);
  const plain = options.plain ?? new Set();
  const isPlain = ({ toolId }: { toolId: string }): boolean => plain.has(toolId);
  const all = [
    ...groupsOf(
      forms.filter((form) => !isPlain(form)),
      options,
    ),
    ...groupsOf(forms.filter(isPlain), { widen: false }),
  ];
  const groups = all.filter(({ length }) => length > 1);
  const grouped = new Set(groups.flat().map(({ toolId }) => toolId));
  for (const { toolId } of forms) if (!grouped.has(toolId)) alone.set(toolId, ALONE);
  const open = groups.flatMap((group, index) => (options.helpers && !group.some(isPlain) ? [index] : []));
  return { ...write(groups, open), alone };
}

const ALONE = 'No other tool of the cluster has its form.';

/** @param open groups whose functions may share sub-expressions. */
function write(groups: readonly Skeleton[][], open: readonly number[]): Omit<Refactoring, 'alone'> {
  const taken = new Set<string>();
  const support = new Support(taken);
  const renames = groups.map(([first]) => support.add(first!));
  const merged = groups.map((group) => generalise(group));
  const wordings = merged.map((each, index) => {
    // What the body calls must not be hidden by a parameter.
    for (const id of namesIn(each.skeletons[0]!.body)) {
      if (isFree(id, each.skeletons[0]!)) taken.add(renames[index]!.get(id) ?? id);
    }
    return wordingOf(each, taken);
  });
  const plain = merged.map((each, index) => renamed(mergedFunction(each, wordings[index]!), renames[index]!));
  const numeric = groups.map((group) => group.every((skeleton) => skeleton.numeric));
  const shared = shareHelpers(plain, open, numeric, taken);
  const definitions = [...support.nodes, ...shared.helpers];
  const imports = [...support.imports, ...(namesIn(shared.helpers).has('math') ? ['math'] : [])];
  return {
    functions: shared.functions.map((definition, index) =>
      functionOf(groups[index]!, merged[index]!, wordings[index]!, definition),
    ),
    ...(definitions.length > 0 ? { module: moduleNode(imports, definitions) } : {}),
  };
}

function functionOf(
  group: readonly Skeleton[],
  { variables }: Generalisation,
  { name, parameters }: Wording,
  definition: AstNode,
): MergedFunction {
  const used = namesIn([definition]);
  const adapterOf = (tool: number): Adapter => ({
    function: name,
    arguments: variables.map(({ column }, n) => ({ name: parameters[n]!, from: originOf(column[tool]!) })),
  });
  return {
    name,
    code: moduleNode(
      group[0]!.imports.filter((module) => used.has(module.split('.')[0]!)),
      [definition],
    ),
    toolIds: group.map(({ toolId }) => toolId),
    adapters: new Map(group.map(({ toolId }, tool) => [toolId, adapterOf(tool)])),
  };
}

const isFree = (id: string, skeleton: Skeleton): boolean =>
  !skeleton.locals.includes(id) && !skeleton.parameters.some((parameter) => parameter.name === id);

/** A tool's call, or any changed call of it, as a call of the function that replaces it. */
export function mappedCall(tool: SourceTool, expression: AstNode, adapter: Adapter): AstNode | undefined {
  return mapExpression(expression, tool.entry, parametersOf(functionNamed(tool.ast, tool.entry)!), adapter);
}

/** Calls of a tool's cases as calls of the function that replaces it; cases that do not fit it are left out. */
export const mappedCases = (
  tool: SourceTool,
  cases: SourceTool['cases'],
  adapter: Adapter,
): { caseId: string; setup?: string; call: AstNode }[] =>
  cases.flatMap(({ id, shape, setup }) => {
    const call = mappedCall(tool, shape.expression, adapter);
    return call ? [{ caseId: id, ...(setup === undefined ? {} : { setup }), call }] : [];
  });
