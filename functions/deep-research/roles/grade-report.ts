import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { fencedRole } from '#shared/models/fenced-role.ts';
import { RubricItemSchema } from '#shared/research/types.ts';

export const GradeReportInput = z.strictObject({
  instruction: z.string(),
  rubric: z.array(RubricItemSchema).min(1),
  report: z.string(),
});
export type GradeReportInput = z.infer<typeof GradeReportInput>;

export const GradeReportOutput = z.object({
  items: z
    .array(
      z.object({
        id: z.string(),
        reason: z.string().max(600).default(''),
        score: z.number().min(0).max(1),
      }),
    )
    .max(200),
});
export type GradeReportOutput = z.infer<typeof GradeReportOutput>;

const SYSTEM = `You grade a report against a rubric. You see the instruction the report answers, the rubric's items with their ids,
and the report.

Grade each item alone, as if it were the only one: how far is its statement true of the report? 1 means fully, 0 not at
all; use steps between for what is partly there. A high grade for one item earns nothing for another.

Never reward length, repetition, confident tone or announcements of what the report will do. Claims the report merely
asserts about its own quality count for nothing. Give every item exactly one entry, in the rubric's order, with a
reason of at most 300 characters.`;

/** How well does a report do what each item of its rubric asks? */
export const gradeReportRole = fencedRole<GradeReportInput, GradeReportOutput>({
  name: 'deep-research/grade-report',
  input: GradeReportInput,
  output: GradeReportOutput,
  params: { temperature: 0, maxOutputTokens: 2048 },
  system: SYSTEM,
  reply: '{"items": [{"id": string, "reason": string, "score": number from 0 to 1}]}',
  user: (input) =>
    fence(hashOf(input), {
      instruction: input.instruction,
      rubric: input.rubric
        .map(({ id, category, statement }) => `${id} (${category}): ${statement}`)
        .join('\n'),
      report: input.report,
    }),
  builtinVersion: 1,
  builtin: async (input) => (await import('../builtin/grade-report.ts')).gradeReport(input),
});
