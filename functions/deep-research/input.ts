import { z } from 'zod';
import { CorpusSchema, InputRefSchema } from '#shared/research/corpus/input.ts';
import { EvidenceQuoteSchema, RubricItemSchema } from '#shared/research/types.ts';

/** The job input of deep-research (specification section 2): strict, every default filled. */

const int = (min: number, max: number) => z.number().int().min(min).max(max);

export { CorpusSchema, InputRefSchema, type InputRef } from '#shared/research/corpus/input.ts';

/** A question as people write it; questions that research-questions made are taken as they are. */
export const QuestionInSchema = z.strictObject({
  text: z.string().min(1),
  kind: z.enum(['short', 'report', 'math', 'code']).default('short'),
  id: z.string().optional(),
  gold: z.string().min(1).optional(),
  aliases: z.array(z.string()).optional(),
  tests: z.string().optional(),
  rubric: z.array(RubricItemSchema).optional(),
  hops: z.number().int().positive().optional(),
  evidence: z.array(EvidenceQuoteSchema).optional(),
  hardness: z.number().min(0).max(1).optional(),
  split: z.enum(['train', 'test']).default('train'),
});

export type QuestionIn = z.infer<typeof QuestionInSchema>;

export const LimitsSchema = z.strictObject({
  maxSteps: int(1, 400).default(100),
  maxModelCalls: int(1, 1000).default(110),
  maxSeconds: z.number().positive().max(86_400).default(3600),
  maxTokens: int(1000, 1_000_000_000).default(3_000_000),
  maxUsd: z.number().positive().max(10_000).default(2),
  maxSearches: int(0, 10_000).default(100),
});

export const ToolsSchema = z.strictObject({
  search: z.enum(['corpus', 'http']).default('corpus'),
  browse: z.boolean().default(true),
  python: z.boolean().default(true),
  /** Default: `clean` in the single-turn family, `edit` in the native one. */
  memory: z.enum(['clean', 'edit']).optional(),
});

export const ContextSchema = z
  .strictObject({
    /** Default: 32,768, or the model's context where that is smaller. */
    L: int(8192, 10_000_000).optional(),
    /** Default: three quarters of L. */
    Lmem: int(1024, 10_000_000).optional(),
    /** Default: 4,096, or an eighth of a smaller L. */
    maxOutputTokens: int(64, 1_000_000).optional(),
  })
  .refine(({ L, Lmem }) => L === undefined || Lmem === undefined || Lmem < L, {
    path: ['Lmem'],
    message: 'The memory must be smaller than the context L.',
  });

export const MAX_RUNS = 100_000;
export const MAX_QUESTIONS = 10_000;
export const MAX_INLINE = 100;
export const MAX_QUESTION_TOKENS = 2000;

export const ResearchInputSchema = z
  .strictObject({
    questions: z.union([InputRefSchema, z.array(QuestionInSchema).min(1).max(MAX_INLINE)]),
    /** G: runs a question; 8 for reinforcement learning. */
    rollouts: int(1, 64).default(1),
    family: z.enum(['auto', 'single_turn', 'native']).default('auto'),
    /** Judges answers and reports. */
    judgeModel: z.string().min(1).max(200).default('builtin'),
    /** Default: 1 with several rollouts, else 0.6. */
    temperature: z.number().min(0).max(2).optional(),
    tools: ToolsSchema.prefault({}),
    corpus: CorpusSchema.optional(),
    /** Hosts that may not be read. */
    blocklist: z.array(z.string().min(1).max(253)).max(1000).default(['huggingface.co']),
    limits: LimitsSchema.prefault({}),
    context: ContextSchema.prefault({}),
    /** Partial rollouts that each question's runs start. */
    partial: z.strictObject({ perQuestion: int(0, 4).default(0) }).prefault({}),
    concurrency: int(1, 1000).default(20),
    /** The date the agent is told; default: when the job was made. */
    asOf: z.iso.date().optional(),
    seed: z
      .number()
      .int()
      .min(0)
      .max(2 ** 31 - 1)
      .default(0),
  })
  .refine(({ tools, corpus }) => tools.search !== 'corpus' || corpus !== undefined, {
    path: ['corpus'],
    message: 'Searching a corpus needs `corpus.ref`; `tools.search: "http"` searches the web.',
  })
  .refine(({ questions, rollouts }) => !Array.isArray(questions) || questions.length * rollouts <= MAX_RUNS, {
    path: ['rollouts'],
    message: `Questions times rollouts are more than ${MAX_RUNS}.`,
  });

export type ResearchInput = z.infer<typeof ResearchInputSchema>;
