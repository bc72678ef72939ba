import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { assemble } from '../assemble/assemble.ts';
import { loadConfig } from '../config.ts';
import { noteCaught } from '../stop.ts';
import { jobInput, RefSchema, stopInput } from './refactor-schemas.ts';

const count = z.int().nonnegative();

/** `Assemble`: the library's files, and the index VerifyLibrary maps over. */
export const handler = defineTask({
  name: 'tool-library/assemble',
  // A cancelled job publishes what it has.
  evenIfCancelled: true,
  input: z.object({ ...jobInput, ...stopInput, pass: z.int().min(1).max(3).default(1) }),
  output: z.object({ index: RefSchema, parts: count, tools: count, aggregated: count, kept: count }),
  async run({ jobId, config, pass, stop }, ctx) {
    await noteCaught(ctx, jobId, stop);
    const assembled = await assemble(ctx, await loadConfig(ctx.artifacts, config), pass);
    await ctx.jobs.stage(jobId, 'VerifyLibrary', assembled.tools);
    return assembled;
  },
});
