import type { CallShape } from '../analysis/calls.ts';
import type { PartSources } from '../blueprint/parts.ts';
import { unparse } from '../python/analyser.ts';
import type { AstNode } from '../python/ast.ts';
import { mappedCall } from '../refactor/refactor.ts';
import type { Code } from '../roles/refactoring.ts';
import { readingsOf } from './adapters.ts';
import { shownCases } from './shown.ts';
import type { SibState } from './state.ts';

/**
 * Calls of the cases that the code agent was not shown, made as it made those of the same tool. A wrong guess is found
 * out when the call is run.
 * @param mapped what the agent's calls are, by case.
 */
export async function furtherCalls(
  state: SibState,
  part: PartSources,
  mapped: ReadonlyMap<string, CallShape>,
): Promise<Code['mapping']> {
  const shown = shownCases(state, part);
  const trees: AstNode[] = [];
  const entries: { caseId: string; setup?: string }[] = [];
  for (const id of state.sib.coveredToolIds) {
    const tool = part.sources.get(id);
    const left = tool?.cases.filter((each) => !shown.has(each.id) && !mapped.has(each.id)) ?? [];
    const adapter = left.length > 0 && tool && (state.adapters[id] ?? readingsOf(tool, mapped)[0]);
    if (!adapter) continue;
    for (const { id: caseId, shape, setup } of left) {
      const call = mappedCall(tool, shape.expression, adapter);
      if (!call) continue;
      trees.push(call);
      entries.push({ caseId, ...(setup === undefined ? {} : { setup }) });
    }
  }
  const texts = await unparse(trees);
  return entries.map((entry, n) => ({ ...entry, call: texts[n]! }));
}
