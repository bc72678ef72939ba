import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { fencedRole } from '#shared/models/fenced-role.ts';

export const RankReportsInput = z.strictObject({
  instruction: z.string(),
  /** Shuffled; ids say nothing of where a report comes from. */
  reports: z.array(z.strictObject({ id: z.string(), text: z.string(), itemSum: z.number() })).min(2),
  /** What was wrong with the order given before. */
  fault: z.string().optional(),
});
export type RankReportsInput = z.infer<typeof RankReportsInput>;

export const RankReportsOutput = z.object({
  reason: z.string().max(600).default(''),
  /** Ids, best first. */
  order: z.array(z.string()).max(64),
});
export type RankReportsOutput = z.infer<typeof RankReportsOutput>;

const SYSTEM = `You rank reports that answer one instruction. Order them from best to worst by how well they would serve the person
who gave the instruction: right and relevant first, then completeness, clarity, and honest citations. Length is no
merit. The order the reports stand in below is random.

The order must name every report's id exactly once. Give a reason of at most 300 characters.`;

/** Which of a group's reports are better than which? */
export const rankReportsRole = fencedRole<RankReportsInput, RankReportsOutput>({
  name: 'deep-research/rank-reports',
  input: RankReportsInput,
  output: RankReportsOutput,
  params: { temperature: 0, maxOutputTokens: 1024 },
  system: SYSTEM,
  reply: '{"reason": string, "order": [id, id, …]}',
  user: (input) =>
    fence(hashOf(input), {
      instruction: input.instruction,
      ...Object.fromEntries(input.reports.map(({ id, text }) => [`report_${id}`, text])),
      correction: input.fault,
    }),
  builtinVersion: 1,
  builtin: (input) => ({
    reason: 'By the sums of their rubric scores.',
    order: [...input.reports]
      .sort((a, b) => b.itemSum - a.itemSum || (a.id < b.id ? -1 : 1))
      .map(({ id }) => id),
  }),
});
