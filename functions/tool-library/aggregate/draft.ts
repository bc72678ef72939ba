import { unparse } from '../python/analyser.ts';
import type { AstNode } from '../python/ast.ts';
import type { SourceTool } from '../refactor/forms.ts';
import type { Adapter } from '../refactor/mapping.ts';
import { mappedCall, refactor } from '../refactor/refactor.ts';
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
  const trees: AstNode[] = functions.map(({ code }) => code);
  const entries: { caseId: string; setup?: string }[] = [];
  const adapters: Record<string, Adapter> = {};
  for (const merged of functions) {
    for (const id of merged.toolIds) {
      const tool = byId.get(id)!;
      const adapter = merged.adapters.get(id)!;
      adapters[id] = adapter;
      for (const each of tool.cases) {
        if (!shown.has(each.id)) continue;
        const call = mappedCall(tool, each.shape.expression, adapter);
        if (!call) continue;
        trees.push(call);
        entries.push({ caseId: each.id, ...(each.setup === undefined ? {} : { setup: each.setup }) });
      }
    }
  }
  const texts = await unparse([...trees, ...(module ? [module] : [])]);
  return {
    code: {
      module: module ? texts.at(-1)! : '',
      functions: functions.map(({ name }, n) => ({ name, code: texts[n]! })),
      mapping: entries.map((entry, n) => ({ ...entry, call: texts[functions.length + n]! })),
    },
    adapters,
  };
}
