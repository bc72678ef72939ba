import { unparse } from '../python/analyser.ts';
import type { SourceTool } from '../refactor/forms.ts';
import type { Adapter } from '../refactor/mapping.ts';
import { mappedCases, refactor } from '../refactor/refactor.ts';
import type { Code } from '../roles/refactoring.ts';

/** The code that anti-unification makes of a scenario's tools (steps 5 to 11), as a code agent would write it. */

export interface Draft {
  code: Code;
  /** By tool id. */
  adapters: Record<string, Adapter>;
}

/**
 * @param plain tools that are merged without widening and helpers.
 * @param shown cases that are mapped.
 */
export async function draftOf(
  tools: readonly SourceTool[],
  plain: ReadonlySet<string>,
  shown: ReadonlySet<string>,
): Promise<Draft> {
  const { functions, module } = refactor(tools, { widen: true, helpers: true, plain });
  const byId = new Map(tools.map((tool) => [tool.id, tool]));
  const adapters: Record<string, Adapter> = {};
  const calls = functions.flatMap((merged) =>
    merged.toolIds.flatMap((id) => {
      const tool = byId.get(id)!;
      const adapter = merged.adapters.get(id)!;
      adapters[id] = adapter;
      return mappedCases(
        tool,
        tool.cases.filter((each) => shown.has(each.id)),
        adapter,
      );
    }),
  );
  const trees = [...functions.map(({ code }) => code), ...calls.map(({ call }) => call)];
  const texts = await unparse([...trees, ...(module ? [module] : [])]);
  return {
    code: {
      module: module ? texts.at(-1)! : '',
      functions: functions.map(({ name }, n) => ({ name, code: texts[n]! })),
      mapping: calls.map((each, n) => ({ ...each, call: texts[functions.length + n]! })),
    },
    adapters,
  };
}
