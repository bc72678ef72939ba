import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { toolLibraryRole } from './define.ts';
import { TranscriptViewSchema } from './judge-tools.ts';
import { CodeSchema, codeText, DesignSchema, designText, FeedbackItemSchema } from './refactoring.ts';

/** One mapped call that was run. */
export const ExecutionSchema = z.strictObject({
  caseId: z.string(),
  tool: z.string(),
  call: z.string(),
  /** What the source gives. */
  expected: z.string(),
  /** What the new code gave: a value or an error. */
  given: z.string(),
  passed: z.boolean(),
  /** Changed calls on which both agree, and on which they were compared. */
  agreed: z.int().nonnegative(),
  compared: z.int().nonnegative(),
  /** The first changed call on which they differ, in words. */
  difference: z.string().optional(),
});
export type Execution = z.infer<typeof ExecutionSchema>;

export const ReviewCodeInput = z.strictObject({
  sib: DesignSchema,
  code: CodeSchema,
  /** What failed, and some of what passed of each tool. */
  executions: z.array(ExecutionSchema),
  /** Executions that are not shown. */
  furtherPassed: z.int().positive().optional(),
  furtherFailed: z.int().positive().optional(),
  /** Attempts to solve the questions with the new functions. */
  transcripts: z.array(TranscriptViewSchema.extend({ question: z.string() })),
  /** Why cases have no execution, by case. */
  unmapped: z.array(z.strictObject({ caseId: z.string(), tool: z.string(), reason: z.string() })),
});
export type ReviewCodeInput = z.infer<typeof ReviewCodeInput>;

export const ReviewCodeOutput = z.object({
  verdict: z.enum(['PASS', 'FAIL']),
  feedback: z.array(FeedbackItemSchema).max(100).default([]),
});
export type ReviewCodeOutput = z.infer<typeof ReviewCodeOutput>;

const SYSTEM = `You review the code of one scenario of a tool library: functions that are to replace a set of one-question tools. You see
the design, the code, what each case gave when it was run, and how a reasoning model fared with the functions.

- Name every capability that was lost: a case that fails, a source that differs on changed arguments, a case without a
  call. Say what is wrong in the code and what to change, with the case's id.
- A case that fails can never pass review. Code whose cases all pass may still fail it: if nobody could use it (names,
  parameters or docstrings mislead; attempts go wrong for that reason), if it looks up inputs, or hides exceptions.
- PASS, with no feedback, if nothing has to change.`;

/** The reviewing agent. */
export const reviewCodeRole = toolLibraryRole<ReviewCodeInput, ReviewCodeOutput>({
  key: 'review-code',
  input: ReviewCodeInput,
  output: ReviewCodeOutput,
  params: { temperature: 0, maxOutputTokens: 4096 },
  system: SYSTEM,
  reply:
    '{"verdict": "PASS" | "FAIL", "feedback": [{"caseId"?: string, "problem": string, "suggestion": string}]}',
  user: ({ sib, code, executions, furtherPassed, furtherFailed, transcripts, unmapped }) =>
    fence(hashOf([sib, code]), {
      scenario: designText(sib),
      code: codeText(code),
      executions: [
        ...executions.map((execution) => JSON.stringify(execution)),
        ...(furtherPassed === undefined ? [] : [`${furtherPassed} more pass`]),
        ...(furtherFailed === undefined ? [] : [`${furtherFailed} more fail`]),
      ].join('\n'),
      cases_without_a_call:
        unmapped.length > 0 ? unmapped.map((each) => JSON.stringify(each)).join('\n') : undefined,
      attempts:
        transcripts.length > 0
          ? transcripts.map((transcript) => JSON.stringify(transcript)).join('\n')
          : undefined,
    }),
  builtinVersion: 1,
  builtin: async (input) => (await import('../builtin/refactoring.ts')).reviewCode(input),
});
