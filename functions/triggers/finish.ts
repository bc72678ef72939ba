import { z } from 'zod';
import { ArtifactRefSchema, readJson } from '#shared/storage/jsonl.ts';
import type { Json } from '#shared/storage/ports.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { END_FIELDS, finishJob, jobToFinish, outcomeOf, type EndStatus } from '#shared/task/finish.ts';

/**
 * The platform's finish, for workflows whose end needs no work of their own. A machine calls it on its good path with
 * what it made, and from its catchers with the error it caught. Before `Begin` has named the job, the execution names it.
 */
export const FinishInput = z.object({
  ...END_FIELDS,
  status: z
    .enum(['SUCCEEDED', 'SUCCEEDED_WITH_ERRORS', 'BUDGET_EXHAUSTED', 'CANCELLED', 'FAILED'])
    .optional(),
  /** The manifest's content, or a reference to it. */
  content: z
    .union([z.strictObject({ ref: ArtifactRefSchema }), z.strictObject({ value: z.json() })])
    .optional(),
  yields: z.record(z.string(), z.number()).default({}),
  pending: z.int().min(0).default(0),
  warnings: z.array(z.json()).default([]),
});

export const FinishOutput = z.object({
  jobId: z.string(),
  status: z.enum(['SUCCEEDED', 'SUCCEEDED_WITH_ERRORS', 'BUDGET_EXHAUSTED', 'CANCELLED', 'FAILED']),
  manifest: ArtifactRefSchema.optional(),
});

export const handler = defineTask({
  name: 'platform/finish',
  input: FinishInput,
  output: FinishOutput,
  async run(input, ctx) {
    const caught = input.error ? outcomeOf(input.error) : undefined;
    const status: EndStatus = caught?.status ?? input.status ?? 'SUCCEEDED';
    const { content } = input;
    const value =
      content === undefined
        ? {}
        : 'value' in content
          ? content.value
          : await readJson(ctx.artifacts, content.ref as never);
    return finishJob(ctx, {
      jobId: jobToFinish({ ...input, event: input.event as Json | undefined }),
      status,
      content: value as Json,
      yields: input.yields,
      pending: input.pending,
      warnings: input.warnings as Json[],
      ...(input.attempt === undefined ? {} : { attempt: input.attempt }),
      ...(caught?.error ? { error: caught.error } : {}),
    });
  },
});
