import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { openWorld } from '../run/open-world.ts';
import { driveSlice } from '../run/slice.ts';
import { count, jobInput, RefSchema } from './schemas.ts';

/** `Slice`: works on one run until it ends, its time is up, or an asynchronous model is to answer. */
export const handler = defineTask({
  name: 'deep-research/slice',
  input: z.object({
    ...jobInput,
    runId: z.string(),
    attempt: z.int().min(1),
    corpusId: z.string().nullish(),
    turns: count,
    /** The name of the error that ended the wait for an asynchronous model. */
    error: z.string().nullish(),
  }),
  output: z.object({
    status: z.enum(['RUNNING', 'AWAIT_MODEL', 'YIELD', 'DONE']),
    turns: count,
    requests: RefSchema.optional(),
    prefix: z.string().optional(),
  }),
  async run(input, ctx) {
    const config = await loadConfig(ctx.artifacts, input.config);
    const world = await openWorld(config, ctx, {
      attempt: input.attempt,
      corpusId: input.corpusId ?? undefined,
    });
    const result = await driveSlice(world, {
      runId: input.runId,
      turns: input.turns,
      ...(input.error ? { error: input.error } : {}),
    });
    if (result.status === 'DONE') await ctx.jobs.advance(input.jobId, 'Rollouts', input.runId, 1);
    return result;
  },
});
