import { z } from 'zod';
import { seededRng } from '#shared/determinism/rng.ts';
import { asyncModelOf, submitBatch } from '#shared/models/batch/async/submit.ts';
import { runBatch } from '#shared/models/batch/run.ts';
import type { InferContext } from '#shared/models/context.ts';
import { doorOf } from '#shared/models/door/doors.ts';
import { loadRegistry } from '#shared/models/registry.ts';
import { ArtifactRefSchema } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { roleOf } from '../roles.ts';
import { withToken } from './token.ts';

const PREFIX = z.string().regex(/^jobs\/[\w.-]+(\/[\w.=-]+)+$/, 'must be a prefix below jobs/<jobId>/');

const InferEvent = z
  .strictObject({
    jobId: z.string().min(1),
    workflow: z.string().min(1).optional(),
    stage: z.string().min(1),
    /** JSONL of InferRequest. */
    requests: ArtifactRefSchema,
    /** Where parts, `results.jsonl` and `rejects.jsonl` go. */
    prefix: PREFIX,
    mode: z.enum(['sync', 'token']).default('sync'),
    taskToken: z.string().min(1).optional(),
    concurrency: z.int().min(1).max(1000).optional(),
    checkpointEvery: z.int().min(1).max(10_000).optional(),
    /** `job` keeps this job's answers out of other jobs' reach. */
    cacheScope: z.enum(['shared', 'job']).optional(),
  })
  .refine(({ mode, taskToken }) => mode === 'sync' || taskToken !== undefined, {
    path: ['taskToken'],
    message: 'Mode token needs the task token: pass $states.context.Task.Token.',
  })
  .refine(({ jobId, prefix }) => prefix.startsWith(`jobs/${jobId}/`), {
    path: ['prefix'],
    message: 'The prefix must lie below jobs/<jobId>/.',
  });

export type InferEvent = z.infer<typeof InferEvent>;

const count = z.int().min(0);
const Output = z.strictObject({
  results: ArtifactRefSchema,
  rejects: ArtifactRefSchema,
  counts: z.strictObject({ total: count, ok: count, rejected: count, failed: count, cached: count }),
  costMicros: count,
  done: z.boolean(),
});

/** In mode token the state machine gets its answer through the token; this is what the invocation itself returns. */
const Handed = z.strictObject({
  token: z.enum(['completed', 'failed', 'waiting']),
  error: z.string().optional(),
});

/**
 * The inference task of every workflow: a file of requests in, files of results and rejects out
 * (model-inference section 11). `sync` returns the output; `token` gives it to the task token.
 */
export const handler = defineTask({
  name: 'inference/infer',
  input: InferEvent,
  output: z.union([Output, Handed]),
  async run(event, ctx) {
    const door = doorOf(ctx.runtime);
    const context = await contextOf(event, ctx);
    const input = batchOf(event);
    if (event.mode === 'sync') return runBatch(door, input, context);
    const token = event.taskToken!;
    return withToken(token, ctx, async () => {
      const model = await asyncModelOf(input.requests, context);
      if (!model) return runBatch(door, input, context);
      // Completions answer the token; nothing waits here.
      return submitBatch(door, { ...input, taskToken: token }, model, context);
    });
  },
});

const batchOf = ({ requests, prefix, concurrency, checkpointEvery }: InferEvent) => ({
  requests: requests as ArtifactRef,
  prefix,
  ...(concurrency === undefined ? {} : { concurrency }),
  ...(checkpointEvery === undefined ? {} : { checkpointEvery }),
});

/** What the door is asked with on behalf of a task. */
export async function contextOf(event: InferEvent, ctx: TaskContext): Promise<InferContext> {
  return {
    jobId: event.jobId,
    workflow: event.workflow ?? ctx.workflow,
    stage: event.stage,
    deadline: ctx.deadline,
    signal: ctx.signal,
    runtime: ctx.runtime,
    registry: await loadRegistry(ctx.runtime),
    roleOf,
    rng: seededRng(event.jobId, event.prefix, ctx.attempt),
    ...(event.cacheScope ? { cacheScope: event.cacheScope } : {}),
  };
}
