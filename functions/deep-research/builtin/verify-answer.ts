import { finalAnswer } from '#shared/text/answers.ts';
import { matches } from '../scoring/match.ts';
import type { VerifyAnswerInput, VerifyAnswerOutput } from '../roles/verify-answer.ts';

/** Numbers within a thousandth agree (specification section 9). */
const NUMBER_TOLERANCE = 0.001;

/** Normalised equality with the right answer or another wording of it; numbers within 0.1 %. */
export function verifyAnswer({ gold, aliases, answer }: VerifyAnswerInput): VerifyAnswerOutput {
  const correct = matches(answer, { gold, aliases }, NUMBER_TOLERANCE);
  const extracted = finalAnswer(answer).slice(0, 1000);
  return {
    reason: correct ? 'The normalised answers are equal.' : 'The normalised answers differ.',
    extracted,
    correct,
  };
}
