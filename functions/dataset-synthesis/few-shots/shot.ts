import type { AnswerType, GenerateExample } from '../records.ts';

/** A worked example of one domain. */
export type Shot = Omit<GenerateExample, 'domain'>;

/** A passage written for this project, and one question over it. */
export const shot = (
  passage: { title: string; text: string },
  persona: string,
  question: string,
  answer: string,
  answerType: AnswerType,
  evidence: string,
  aliases: string[] = [],
): Shot => ({ ...passage, persona, question, answer, answerType, aliases, evidence });
