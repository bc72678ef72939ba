import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { fencedRole } from '#shared/models/fenced-role.ts';
import { RubricItemSchema } from '#shared/research/types.ts';

export const WriteRubricInput = z.strictObject({
  topic: z.string(),
  entityNoun: z.string(),
  pages: z.array(z.strictObject({ url: z.string(), title: z.string(), text: z.string() })).min(1),
  /** Facts of the pages; prompts do not show them. */
  analysis: z
    .strictObject({
      facts: z.array(z.strictObject({ relation: z.string(), head: z.string(), path: z.array(z.string()) })),
    })
    .optional(),
});
export type WriteRubricInput = z.infer<typeof WriteRubricInput>;

export const WriteRubricOutput = z.object({
  instruction: z.string().max(2000),
  rubric: z.array(RubricItemSchema).max(40),
});
export type WriteRubricOutput = z.infer<typeof WriteRubricOutput>;

const SYSTEM = `You write assignments for researchers, and the rubrics their reports are graded by, from pages of a corpus. You see a
topic and pages about it.

The instruction asks for a report of a few paragraphs on the topic, names what it has to cover, and asks for cited
sources. It does not give away the facts that the report is to find.

The rubric has at least one item of each category (factuality, compliance, writing, citations), each a statement that is
true or false of a report, with a weight from 1 to 5, and mustHave where a report without it is worthless. Every item can
be checked against the pages alone: no outside knowledge, no taste. Items of factuality may list phrases, the words a
right report must have.`;

/** Makes a report question: what is asked for, and what a good report has. */
export const writeRubricRole = fencedRole<WriteRubricInput, WriteRubricOutput>({
  name: 'research-questions/write-rubric',
  input: WriteRubricInput,
  output: WriteRubricOutput,
  params: { temperature: 0, maxOutputTokens: 2048 },
  system: SYSTEM,
  reply:
    '{"instruction": string, "rubric": [{"id": string, "category": "factuality" | "compliance" | "writing" | "citations", "statement": string, "weight": number, "mustHave": true | false, "phrases": [string]}]}',
  user: ({ topic, entityNoun, pages }) =>
    fence(hashOf([topic, pages]), {
      topic,
      topic_is_a: entityNoun,
      ...Object.fromEntries(
        pages.map(({ url, title, text }, index) => [`page_${index + 1}`, `${title}\n${url}\n\n${text}`]),
      ),
    }),
  builtinVersion: 1,
  builtin: async (input) => (await import('../builtin/write-rubric.ts')).writeRubric(input),
});
