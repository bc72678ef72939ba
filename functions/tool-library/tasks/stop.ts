import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { noteStop, STOPS, stopOf } from '../stop.ts';
import { jobInput } from './create-schemas.ts';

/**
 * `NoteStop` in a child, `Check…` in the parent: whether the job ends early, and why; if not, what it goes on with.
 */
export const handler = defineTask({
  name: 'tool-library/stop',
  evenIfCancelled: true,
  input: z.object({
    ...jobInput,
    stop: z.enum(STOPS).optional(),
    begins: z.strictObject({ stage: z.string(), total: z.int().nonnegative() }).optional(),
  }),
  output: z.object({ stop: z.enum(STOPS).optional() }),
  async run({ jobId, stop, begins }, ctx) {
    const found = stop === undefined ? await stopOf(ctx, jobId) : await noteStop(ctx, jobId, stop);
    if (begins && found === undefined) await ctx.jobs.stage(jobId, begins.stage, begins.total);
    return found === undefined ? {} : { stop: found };
  },
});
