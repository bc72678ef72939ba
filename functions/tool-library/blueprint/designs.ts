import { docstringOf, readDocstring } from '../analysis/docstring.ts';
import { functionsOf, parametersOf } from '../analysis/functions.ts';
import type { Cluster } from '../records.ts';
import type { SourceTool } from '../refactor/forms.ts';
import { refactor, type MergedFunction } from '../refactor/refactor.ts';
import type { Design } from '../roles/refactoring.ts';

/** What anti-unification says of a cluster, as designs: the builtin's side of Blueprint. */

/** Functions of one scenario. */
const MAX_FUNCTIONS = 8;

const plain = { helpers: false };

/**
 * Scenarios of tools that merge, each of some functions.
 * @param numberOf the number a prompt gives a tool.
 */
export function designsOf(
  cluster: Pick<Cluster, 'path' | 'description'>,
  tools: readonly SourceTool[],
  numberOf: (id: string) => number,
  widen: boolean,
): Design[] {
  const { functions } = refactor(tools, { ...plain, widen });
  const designs: Design[] = [];
  for (let from = 0; from < functions.length; from += MAX_FUNCTIONS) {
    const own = functions.slice(from, from + MAX_FUNCTIONS);
    const which = functions.length > MAX_FUNCTIONS ? ` ${designs.length + 1}` : '';
    designs.push({
      name: `${cluster.path.at(-1) ?? 'tools'}${which}`,
      description: cluster.description,
      classes: [],
      functions: own.map(designOf),
      covered: own.flatMap(({ toolIds }) => toolIds.map(numberOf)),
    });
  }
  return designs;
}

/** The function as a design says it: name, first sentence, parameters. */
export function designOf({ name, code }: MergedFunction): Design['functions'][number] {
  const [fn] = functionsOf(code);
  return {
    name,
    description: readDocstring(docstringOf(fn!)).summary,
    parameters: parametersOf(fn!).map((parameter) => parameter.name),
  };
}

/** Tools that merge with one of `covered` once skeletons may be widened. */
export function joining(covered: readonly SourceTool[], others: readonly SourceTool[]): string[] {
  const inside = new Set(covered.map(({ id }) => id));
  const { functions } = refactor([...covered, ...others], { ...plain, widen: true });
  return functions
    .filter(({ toolIds }) => toolIds.some((id) => inside.has(id)))
    .flatMap(({ toolIds }) => toolIds.filter((id) => !inside.has(id)));
}

/** Tools of a scenario that some function of it has the form of. */
export const bucketed = (tools: readonly SourceTool[]): Set<string> =>
  new Set(refactor(tools, { ...plain, widen: true }).functions.flatMap(({ toolIds }) => toolIds));
