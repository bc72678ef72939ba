import { z } from 'zod';
import { CorpusSchema, LimitsSchema, ToolsSchema } from '#functions/deep-research/input.ts';
import { RUN_STATUSES } from '#functions/deep-research/records.ts';
import { ReportSchema } from '#shared/research/types.ts';
import { BudgetInput } from '#shared/task/budgets.ts';
import { JOB_STATUSES } from '#shared/task/jobs.ts';
import { IDEMPOTENCY_KEY } from './schemas.ts';

/** The resources of interactive research (deep-research section 2). */

export const ResearchBody = z.strictObject({
  question: z.string().min(1).max(10_000),
  kind: z.enum(['short', 'report', 'math', 'code']).optional().meta({ description: 'Default: short.' }),
  corpus: CorpusSchema.optional().meta({
    description: 'Documents to search; without them the web is searched.',
  }),
  tools: ToolsSchema.optional(),
  limits: LimitsSchema.optional(),
  model: z.string().min(1).max(200).optional(),
  budget: BudgetInput.optional(),
  asOf: z.iso.date().optional().meta({ description: 'The date the agent is told; default: today.' }),
  idempotencyKey: IDEMPOTENCY_KEY.optional(),
});

export const ResearchStarted = z.strictObject({
  jobId: z.string(),
  runId: z.string(),
  events: z.string().meta({ description: 'Where its events are: server-sent, resumable.' }),
});

const count = z.number().min(0);

export const ResearchState = z.strictObject({
  jobId: z.string(),
  runId: z.string(),
  question: z.string(),
  status: z.enum(RUN_STATUSES),
  job: z.enum(JOB_STATUSES),
  endReason: z.string().optional(),
  steered: z.boolean(),
  answer: ReportSchema.optional(),
  usage: z.strictObject({
    steps: count,
    modelCalls: count,
    toolCalls: count,
    searches: count,
    promptTokens: count,
    outputTokens: count,
    ms: count,
    microUsd: count,
    malformed: count,
  }),
  events: z.string(),
});

export const MAX_NOTE = 2000;
export const NoteBody = z.strictObject({
  text: z
    .string()
    .trim()
    .min(1)
    .max(MAX_NOTE)
    .meta({ description: 'Joins the question in every later prompt.' }),
});
export const NoteAccepted = z.strictObject({ jobId: z.string(), runId: z.string(), note: z.int().min(1) });

/** Server-sent events as they travel. */
export const EventStream = z.string();

export const ResearchEventsQuery = z.strictObject({
  lastEventId: z
    .string()
    .max(100)
    .optional()
    .meta({ description: 'As the header Last-Event-ID, for clients that cannot send it.' }),
});
