import type { BlueprintInput, BlueprintOutput } from '../roles/blueprint.ts';
import type { PatchCodeInput } from '../roles/patch-code.ts';
import type { Code, FeedbackItem } from '../roles/refactoring.ts';
import type { ReviewBlueprintInput, ReviewBlueprintOutput } from '../roles/review-blueprint.ts';
import type { Execution, ReviewCodeInput, ReviewCodeOutput } from '../roles/review-code.ts';
import type { WidenBlueprintInput, WidenBlueprintOutput } from '../roles/widen-blueprint.ts';
import type { WriteCodeInput } from '../roles/write-code.ts';

/**
 * The refactoring roles without a model (section 6). What they need of syntax trees is anti-unification's
 * (`refactor/`), which the planning steps have worked out into `analysis`.
 */

/** Plays blueprint: tools of one form are a function, functions of a cluster a scenario. */
export const blueprint = ({ analysis }: BlueprintInput): BlueprintOutput => ({ sibs: analysis.sibs });

/** Plays widen-blueprint: tools that one more outer operand lets in join. */
export const widenBlueprint = ({ analysis }: WidenBlueprintInput): WidenBlueprintOutput => ({
  sib: analysis.sib,
});

/** Plays review-blueprint: a tool that has the form of one of the functions can be answered by it. */
export function reviewBlueprint({ analysis, tool }: ReviewBlueprintInput): ReviewBlueprintOutput {
  if (analysis.hasBucket) return { verdict: 'PASS', reason: 'A function has its form.', suggestions: [] };
  return {
    verdict: 'NEED_PATCHING',
    reason: 'No function of the scenario has its form.',
    suggestions: [`Add a function with the form of ${tool.name}, or do not cover it.`],
  };
}

/** Plays write-code: the least general generalisation of the tools. */
export const writeCode = ({ analysis }: WriteCodeInput): Code => analysis.draft;

/** Plays patch-code: the same without widening and helpers, then without the tools that failed. */
export const patchCode = ({ analysis }: PatchCodeInput): Code => analysis.draft;

/** Plays review-code: all cases pass and all changed calls agree. What the code agent left out is kept as it was. */
export function reviewCode({ executions }: ReviewCodeInput): ReviewCodeOutput {
  const feedback = executions.filter(isBad).map(complaint).slice(0, 100);
  return { verdict: feedback.length === 0 ? 'PASS' : 'FAIL', feedback };
}

export const isBad = ({ passed, agreed, compared }: Execution): boolean => !passed || agreed < compared;

/** What is wrong with a mapped call, in words. */
export function complaint({ caseId, call, expected, given, passed, difference }: Execution): FeedbackItem {
  if (!passed) {
    return {
      caseId,
      problem: `${call} gives ${given}, the source gives ${expected}.`,
      suggestion: 'Make the function give the value of the source, or leave the tool out.',
    };
  }
  return {
    caseId,
    problem: `The function is not equivalent to its source: ${difference ?? 'they differ on changed arguments.'}`,
    suggestion: 'Compute the value from the arguments as the source does.',
  };
}
