import { requestFor } from '#shared/models/role.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import type { PartSources } from '../blueprint/parts.ts';
import { complaint, isBad } from '../builtin/refactoring.ts';
import type { ToolLibraryConfig } from '../config.ts';
import type { FeedbackItem } from '../roles/refactoring.ts';
import { reviewCodeRole, type ReviewCodeInput, type ReviewCodeOutput } from '../roles/review-code.ts';
import { shownCases, shownExecutions, shownUnmapped } from './shown.ts';
import { liveSibs, type SibState } from './state.ts';
import { designView } from './writing.ts';

/** The reviewing agent's requests, and what its verdict makes: accepted, or another round with its feedback. */

const requestId = ({ sib }: SibState): string => `${sib.id}:review-code`;

const MAX_TRANSCRIPTS = 12;

export const reviewRequests = (
  states: readonly SibState[],
  part: PartSources,
  config: ToolLibraryConfig,
): InferRequest[] =>
  liveSibs(states).flatMap((state) => {
    const { code } = state;
    if (!code || state.gated === undefined || state.gated.calls.length === 0) return [];
    const input: ReviewCodeInput = {
      sib: designView(state),
      code,
      ...shownExecutions(state),
      transcripts: transcriptsOf(state, part),
      unmapped: shownUnmapped(unmappedOf(state, part)),
    };
    return [
      requestFor(reviewCodeRole, input, {
        id: requestId(state),
        model: config.models['review-code'],
        params: { sample: state.round - 1 },
      }),
    ];
  });

/** Attempts that went wrong first: they say most. */
function transcriptsOf({ attempts, sib }: SibState, part: PartSources): ReviewCodeInput['transcripts'] {
  const questions = new Map(
    sib.coveredToolIds.flatMap((id) =>
      (part.cases.get(id) ?? []).map((each) => [each.id, each.question] as const),
    ),
  );
  return attempts
    .flatMap(({ caseId, transcripts }) =>
      transcripts.map(({ model, turns, answer, right }) => ({
        model,
        question: questions.get(caseId) ?? '',
        turns: turns.map(({ call, value, error }) => ({
          call,
          ...(value === undefined ? {} : { value }),
          ...(error === undefined ? {} : { error }),
        })),
        ...(answer === undefined ? {} : { answer }),
        right: right === true,
      })),
    )
    .sort((a, b) => Number(a.right) - Number(b.right))
    .slice(0, MAX_TRANSCRIPTS);
}

/** Cases without a call that ran, and why. */
export function unmappedOf(state: SibState, part: PartSources): ReviewCodeInput['unmapped'] {
  const run = new Set(state.executions.map(({ caseId }) => caseId));
  const shown = shownCases(state, part);
  const problems = new Map((state.gated?.problems ?? []).map((each) => [each.caseId, each.problem]));
  return state.sib.coveredToolIds.flatMap((id) =>
    (part.cases.get(id) ?? [])
      .filter((each) => !run.has(each.id))
      .map((each) => ({
        caseId: each.id,
        tool: part.tools.get(id)!.name,
        reason:
          problems.get(each.id) ??
          (shown.has(each.id)
            ? 'The mapping leaves the case out.'
            : 'The calls of its tool do not tell how it is called: they call several functions, or none.'),
      })),
  );
}

/** Tools with a case that fails or a changed call that differs. */
export function failingTools(state: SibState, part: PartSources): string[] {
  const bad = new Set(state.executions.filter(isBad).map(({ caseId }) => caseId));
  return state.sib.coveredToolIds.filter((id) => (part.cases.get(id) ?? []).some((each) => bad.has(each.id)));
}

/**
 * Takes the verdicts in. A review may fail code that passes; code with a failing case is never accepted, whatever the
 * review says. The states given are changed.
 * @returns how many scenarios have another round.
 */
export function applyReview(
  states: readonly SibState[],
  part: PartSources,
  replies: ReadonlyMap<string, InferResult>,
  config: ToolLibraryConfig,
): number {
  let more = 0;
  for (const state of liveSibs(states)) {
    const reply = replies.get(requestId(state));
    const output = reply?.status === 'ok' ? (reply.output as ReviewCodeOutput) : undefined;
    const failures = state.executions.filter(isBad);
    const problems = state.gated?.problems ?? [];
    const ran = state.executions.length > 0;
    state.accepted = output?.verdict === 'PASS' && failures.length === 0 && problems.length === 0 && ran;
    state.feedback = state.accepted ? [] : feedbackOf(output, problems, failures.map(complaint));
    state.blocked = isBlocked(output);
    for (const execution of failures) {
      const id = toolOfCase(state, execution.caseId, part);
      if (id !== undefined) state.failures[id] = complaint(execution).problem;
    }
    state.history.push({
      round: state.round,
      role: state.round > 1 ? 'patch-code' : 'write-code',
      failures: failures.length + problems.length + unmappedOf(state, part).length,
      verdict: state.accepted ? 'PASS' : 'FAIL',
      feedback: state.feedback,
    });
    if (state.accepted || state.round >= config.input.rounds.aggregate) {
      state.status = 'done';
      continue;
    }
    const failing = failingTools(state, part);
    // What the builtin code agent does next: first without widening and helpers, then without the tools that fail.
    if (state.round === 1) state.plain = withNeighbours(state, failing);
    else state.ejected = [...new Set([...state.ejected, ...failing])];
    state.round++;
    more++;
  }
  return more;
}

const isBlocked = (output: ReviewCodeOutput | undefined): boolean =>
  !output ||
  (output.verdict === 'FAIL' &&
    (output.feedback.length === 0 || output.feedback.some(({ caseId }) => caseId === undefined)));

const toolOfCase = ({ sib }: SibState, caseId: string, part: PartSources): string | undefined =>
  sib.coveredToolIds.find((id) => (part.cases.get(id) ?? []).some((each) => each.id === caseId));

/** The tools that share a function with these. */
function withNeighbours({ gated, sib }: SibState, failing: readonly string[]): string[] {
  const calls = gated?.calls ?? [];
  const names = new Set(calls.filter(({ toolId }) => failing.includes(toolId)).map((call) => call.function));
  return sib.coveredToolIds.filter((id) =>
    calls.some((call) => call.toolId === id && names.has(call.function)),
  );
}

/** The review's own words first; what it does not say of cases that fail is added. */
function feedbackOf(
  output: ReviewCodeOutput | undefined,
  problems: readonly FeedbackItem[],
  complaints: readonly FeedbackItem[],
): FeedbackItem[] {
  const said = output?.verdict === 'FAIL' || complaints.length > 0 ? (output?.feedback ?? []) : [];
  const named = new Set(said.map(({ caseId }) => caseId));
  const added = [...problems, ...complaints].filter(
    ({ caseId }) => caseId === undefined || !named.has(caseId),
  );
  const all = [...said, ...added];
  if (all.length > 0) return all.slice(0, 200);
  return [
    {
      problem: output ? 'The review failed the code without saying why.' : 'The review could not be read.',
      suggestion: '',
    },
  ];
}
