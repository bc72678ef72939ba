import type { PartSources } from '../blueprint/parts.ts';
import { isBad } from '../builtin/refactoring.ts';
import type { ReviewCodeInput } from '../roles/review-code.ts';
import type { SibState } from './state.ts';

/**
 * What agents are shown of a scenario's cases. Where thousands of questions made one tool, its cases would fill any
 * context; a dozen tell how it is called, and what fails is shown before what passes.
 */

/** Cases of a tool that the code agent maps; calls of the others are made from these. */
const SHOWN_CASES = 12;
/** Executions that fail, and cases without a call, in one review. */
const SHOWN_FAILURES = 100;

/** Of a tool's cases. */
export const shownOf = <T>(cases: readonly T[]): T[] => cases.slice(0, SHOWN_CASES);

/** The ids of the cases that the code agent maps. */
export const shownCases = ({ sib }: SibState, part: PartSources): Set<string> =>
  new Set(sib.coveredToolIds.flatMap((id) => shownOf(part.cases.get(id) ?? []).map((each) => each.id)));

/** What a review sees of the executions, in their order, and how many more of them passed and failed. */
export function shownExecutions({
  executions,
}: SibState): Pick<ReviewCodeInput, 'executions' | 'furtherPassed' | 'furtherFailed'> {
  const left = { passed: new Map<string, number>(), failed: SHOWN_FAILURES };
  const further = { passed: 0, failed: 0 };
  const shown = executions.filter((execution) => {
    if (isBad(execution)) return left.failed-- > 0 || (further.failed++, false);
    const before = left.passed.get(execution.tool) ?? 0;
    left.passed.set(execution.tool, before + 1);
    return before < SHOWN_CASES || (further.passed++, false);
  });
  return {
    executions: shown,
    ...(further.passed === 0 ? {} : { furtherPassed: further.passed }),
    ...(further.failed === 0 ? {} : { furtherFailed: further.failed }),
  };
}

export const shownUnmapped = (unmapped: ReviewCodeInput['unmapped']): ReviewCodeInput['unmapped'] =>
  unmapped.slice(0, SHOWN_FAILURES);
