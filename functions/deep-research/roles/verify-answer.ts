import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { fencedRole } from '#shared/models/fenced-role.ts';

export const VerifyAnswerInput = z.strictObject({
  question: z.string(),
  gold: z.string(),
  aliases: z.array(z.string()),
  answer: z.string(),
});
export type VerifyAnswerInput = z.infer<typeof VerifyAnswerInput>;

export const VerifyAnswerOutput = z.object({
  reason: z.string().max(600).default(''),
  /** The answer that was given, without what surrounds it. */
  extracted: z.string().max(1000),
  correct: z.boolean(),
});
export type VerifyAnswerOutput = z.infer<typeof VerifyAnswerOutput>;

const SYSTEM = `You check answers against a key. You see a question, the right answer, other wordings of it, and the answer a
candidate gave. Extract the candidate's final answer and say whether it agrees with the right one.

It agrees if it means the same thing: the same person, place, date, amount or statement. Amounts agree in unit, and in
the precision the right answer has; more digits that round to it are fine. Spelling, word order, titles and extra
detail that is not wrong do not matter.

It does not agree if it lists several candidates, leaves a choice open, names something broader or narrower, or only
describes how to find out. Do not solve the question yourself and do not correct the key: it is right by definition.
Give a reason of at most 300 characters.`;

/** Does an answer that is worded otherwise mean the right one? Asked only where comparison finds them unequal. */
export const verifyAnswerRole = fencedRole<VerifyAnswerInput, VerifyAnswerOutput>({
  name: 'deep-research/verify-answer',
  input: VerifyAnswerInput,
  output: VerifyAnswerOutput,
  params: { temperature: 0, maxOutputTokens: 300 },
  system: SYSTEM,
  reply: '{"reason": string, "extracted": string, "correct": true | false}',
  user: (input) =>
    fence(hashOf(input), {
      question: input.question,
      right_answer: input.gold,
      other_wordings: input.aliases.length > 0 ? input.aliases.join('\n') : undefined,
      given_answer: input.answer,
    }),
  builtinVersion: 1,
  builtin: async (input) => (await import('../builtin/verify-answer.ts')).verifyAnswer(input),
});
