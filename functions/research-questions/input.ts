import { z } from 'zod';
import { CorpusSchema, InputRefSchema } from '#shared/research/corpus/input.ts';

/** The job input of research-questions (specification deep-research, section 2): strict, every default filled. */

const int = (min: number, max: number) => z.number().int().min(min).max(max);

export const QuestionsInputSchema = z.strictObject({
  corpus: CorpusSchema,
  /** Short questions to make. */
  count: int(1, 50_000).default(200),
  /** Report questions with rubrics, beside them. */
  reports: int(0, 10_000).default(0),
  /** Facts a question needs: one more than its extensions. */
  hops: z
    .strictObject({ min: int(1, 8).default(1), max: int(1, 8).default(3) })
    .refine(({ min, max }) => min <= max, { path: ['min'], message: 'min must not be above max.' })
    .prefault({}),
  /** Chains begun for every question wanted. */
  oversample: z.number().min(1).max(20).default(3),
  /** Times a model is asked without the corpus: a right answer rejects the question. */
  closedBookTries: int(0, 10).default(3),
  /** Times the agent tries each question; 0 makes no hardness. */
  solverRuns: int(0, 16).default(4),
  /** Hardness that is wanted; default 0.25 to 0.75, without a model 0 to 0.75: always at least one solve. */
  band: z
    .strictObject({ min: z.number().min(0).max(1), max: z.number().min(0).max(1) })
    .refine(({ min, max }) => min <= max, { path: ['min'], message: 'min must not be above max.' })
    .optional(),
  /** JSON Lines of texts that no question may share 13 words with. */
  exclude: InputRefSchema.optional(),
  testShare: z.number().min(0).max(1).default(0.1),
  seed: int(0, 2 ** 31 - 1).default(0),
});

export type QuestionsInput = z.infer<typeof QuestionsInputSchema>;
