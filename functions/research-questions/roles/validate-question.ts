import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { fencedRole } from '#shared/models/fenced-role.ts';

export const ValidateQuestionInput = z.strictObject({
  question: z.string(),
  /** Absent with `closedBook`: the model sees the bare question. */
  answer: z.string().optional(),
  pages: z.array(z.strictObject({ url: z.string(), title: z.string(), text: z.string() })),
  closedBook: z.boolean(),
  /** What a scan of the corpus found; prompts do not show it. */
  analysis: z
    .strictObject({
      unique: z.boolean(),
      derivable: z.boolean(),
      leaks: z.array(z.string()),
      reasons: z.array(z.string()),
    })
    .optional(),
});
export type ValidateQuestionInput = z.infer<typeof ValidateQuestionInput>;

export const ValidateQuestionOutput = z.object({
  reasons: z.array(z.string().max(300)).max(10).default([]),
  unique: z.boolean().optional(),
  derivable: z.boolean().optional(),
  leaks: z.array(z.string().max(300)).max(20).optional(),
  /** With `closedBook`. */
  answer: z.string().max(1000).optional(),
});
export type ValidateQuestionOutput = z.infer<typeof ValidateQuestionOutput>;

const SYSTEM = `You either answer a question from memory, or examine one. Which of both is said with the data.

To answer: give your best short answer, or "unknown". Reply with "answer" alone.

To examine: you see the question, its answer and the pages it was made from. Judge by the pages alone:
- unique: does the question have exactly this one right answer, and does every description in it fit one thing only?
- derivable: can the answer be reached step by step from facts that the pages state?
- leaks: names or words in the question that give the answer or a hidden entity away; an empty list if none.
Give each reason in at most 300 characters.`;

/** Is a question sound: one answer, derivable from its pages, nothing given away? */
export const validateQuestionRole = fencedRole<ValidateQuestionInput, ValidateQuestionOutput>({
  name: 'research-questions/validate-question',
  input: ValidateQuestionInput,
  output: ValidateQuestionOutput,
  params: { temperature: 0, maxOutputTokens: 1024 },
  system: SYSTEM,
  reply:
    '{"reasons": [string], "unique": true | false, "derivable": true | false, "leaks": [string]} or {"answer": string}',
  user: ({ question, answer, pages, closedBook }) =>
    closedBook
      ? `Answer from memory.\n${fence(hashOf([question]), { question })}`
      : `Examine.\n${fence(hashOf([question, answer]), {
          question,
          answer,
          ...Object.fromEntries(
            pages.map(({ url, title, text }, index) => [`page_${index + 1}`, `${title}\n${url}\n\n${text}`]),
          ),
        })}`,
  builtinVersion: 1,
  builtin: ({ analysis, closedBook }) =>
    closedBook
      ? { reasons: ['not_tested'], answer: 'unknown' }
      : (analysis ?? { unique: false, derivable: false, leaks: [], reasons: ['There is no analysis.'] }),
});
