import type { CallShape } from '../analysis/calls.ts';
import type { PartSources } from '../blueprint/parts.ts';
import { unparse } from '../python/analyser.ts';
import { mappedCases } from '../refactor/refactor.ts';
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
  const calls = state.sib.coveredToolIds.flatMap((id) => {
    const tool = part.sources.get(id);
    const left = tool?.cases.filter((each) => !shown.has(each.id) && !mapped.has(each.id)) ?? [];
    const adapter = left.length > 0 && tool && (state.adapters[id] ?? readingsOf(tool, mapped)[0]);
    return adapter ? mappedCases(tool, left, adapter) : [];
  });
  const texts = await unparse(calls.map(({ call }) => call));
  return calls.map((each, n) => ({ ...each, call: texts[n]! }));
}
