import { z } from 'zod';
import { BudgetInput } from '#shared/task/budgets.ts';
import { ArtifactRefSchema } from '#shared/storage/jsonl.ts';
import { JOB_STATUSES } from '#shared/task/jobs.ts';

/** The resources of the HTTP API (infra-api-cli section 7). The document, the checks and the tests use these. */

const time = z.iso.datetime().meta({ description: 'UTC time.' });
const count = z.int().min(0);

export const Problem = z.strictObject({
  type: z.string().meta({ description: '`urn:agentmill:problem:<slug>`; docs/problems.md lists them.' }),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string().optional().meta({ description: 'The request id.' }),
  errors: z
    .array(z.strictObject({ pointer: z.string(), code: z.string(), detail: z.string() }))
    .max(20)
    .optional(),
});

export const Budget = z.strictObject({
  microUsd: count.optional(),
  tokens: count.optional(),
  calls: count.optional(),
  seconds: count.optional(),
});

export const JobSchema = z.strictObject({
  jobId: z.string(),
  workflow: z.string(),
  status: z.enum(JOB_STATUSES),
  owner: z.string(),
  attempt: z.int().min(1),
  input: z.json(),
  budget: Budget.optional().meta({ description: 'Caps; money in micro-dollars.' }),
  model: z.string().optional(),
  executionId: z.string().optional(),
  progress: z.strictObject({ stage: z.string(), done: z.number(), total: z.number() }),
  yields: z.record(z.string(), z.number()),
  cost: z.strictObject({
    microUsd: count,
    calls: count,
    cacheHits: count,
    tokensIn: count,
    tokensOut: count,
  }),
  createdAt: time,
  startedAt: time.optional(),
  endedAt: time.optional(),
  error: Problem.optional(),
});

const page = <T extends z.ZodType>(item: T) =>
  z.strictObject({ items: z.array(item), nextCursor: z.string().optional() });

export const JobPage = page(JobSchema);

export const EventPage = page(
  z.strictObject({
    time,
    level: z.enum(['info', 'warn', 'error']),
    stage: z.string().optional(),
    message: z.string(),
    data: z.json().optional(),
  }),
).meta({ description: 'Oldest first. Pass the last `nextCursor` again later to follow a running job.' });

export const OutputPage = z.strictObject({
  jobId: z.string(),
  status: z.enum(JOB_STATUSES),
  complete: z.boolean().meta({ description: '`_SUCCESS` is there.' }),
  manifest: z.record(z.string(), z.json()).optional(),
  items: z.array(
    z.strictObject({
      key: z.string(),
      bytes: count,
      sha256: z.string().optional(),
      url: z
        .string()
        .meta({ description: 'Lives for 15 minutes; relative to the API where it has no host.' }),
      expiresAt: time,
    }),
  ),
  nextCursor: z.string().optional(),
});

export const Health = z.strictObject({ status: z.literal('ok'), version: z.string() });

const workflowFields = {
  name: z.string(),
  title: z.string(),
  description: z.string(),
};
export const WorkflowList = page(z.strictObject(workflowFields));
export const WorkflowDetail = z.strictObject({
  ...workflowFields,
  input: z.record(z.string(), z.json()).meta({ description: 'JSON Schema of the input.' }),
  examples: z.array(z.strictObject({ title: z.string(), input: z.json() })),
  limits: z.strictObject({
    timeoutHours: z.number(),
    maxObjectBytes: count,
    maxBudgetMicroUsd: count,
    jobs: count,
  }),
  stages: z.record(z.string(), z.string()).meta({ description: 'Stages in order, and what they count.' }),
  triggers: z.strictObject({
    api: z.boolean(),
    s3: z.strictObject({ prefix: z.string(), suffix: z.array(z.string()) }).optional(),
    schedule: z.string().optional(),
  }),
});

export const Upload = z.strictObject({
  uploadId: z.string(),
  url: z.string(),
  method: z.literal('PUT'),
  headers: z.record(z.string(), z.string()).meta({ description: 'Send all of them with the upload.' }),
  expiresAt: time,
  ref: ArtifactRefSchema,
});

export const OpenApiDocument = z.record(z.string(), z.json());

// ---------------------------------------------------------------------------------------------- requests

export const IDEMPOTENCY_KEY = z
  .string()
  .regex(/^[\x20-\x7e]{1,128}$/, 'is 1 to 128 printable ASCII characters');

export const CreateBody = z.strictObject({
  workflow: z.string().min(1).max(64),
  input: z.json().meta({ description: "The workflow's input; see its JSON Schema." }),
  budget: BudgetInput.optional(),
  model: z.string().min(1).max(200).optional().meta({ description: 'Default model of every role.' }),
  idempotencyKey: IDEMPOTENCY_KEY.optional(),
});

export const ResumeBody = z.strictObject({ budget: BudgetInput.optional() });
export const CancelBody = z.strictObject({});

export const MAX_UPLOAD_BYTES = 1024 ** 3;

export const UploadBody = z.strictObject({
  workflow: z.string().min(1).max(64),
  uploadId: z
    .uuid()
    .optional()
    .meta({ description: 'Adds the file to this earlier upload, beside its files.' }),
  idempotencyKey: IDEMPOTENCY_KEY.optional().meta({
    description: 'The same key always leads to the same upload, and so to the same `ref`.',
  }),
  filename: z
    .string()
    .min(1)
    .max(200)
    .regex(/^(?!\.{1,2}$)[^/\\\x00-\x1f\x7f-\x9f]+$/, 'is a plain file name without slashes'),
  bytes: z.int().min(1).max(MAX_UPLOAD_BYTES),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'is 64 lower-case hex digits'),
  contentType: z
    .string()
    .regex(/^[\w.+-]{1,100}\/[\w.+-]{1,100}(?:; ?[\w-]+=[\w.+-]+)?$/, 'is no media type'),
});

export const limit = (max: number, standard: number) =>
  z
    .string()
    .regex(/^\d{1,4}$/, 'is a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(max))
    .prefault(String(standard));
export const cursor = z.string().min(1).max(2048).optional();

export const ListQuery = z.strictObject({
  workflow: z.string().max(64).optional(),
  status: z.enum(JOB_STATUSES).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  limit: limit(100, 25),
  cursor,
});
export const EventQuery = z.strictObject({ limit: limit(100, 100), cursor });
export const OutputQuery = z.strictObject({ limit: limit(1000, 1000), cursor });
export const NoQuery = z.strictObject({});
