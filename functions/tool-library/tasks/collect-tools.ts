import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { collectTools } from '../collect/collect.ts';
import { loadConfig } from '../config.ts';
import { noteCaught } from '../stop.ts';
import { jobInput, RefSchema, stopInput } from './create-schemas.ts';

const count = z.int().nonnegative();

/** `CollectTools`: everything admitted, identical trees once, names distinct; and what clustering maps over. */
export const handler = defineTask({
  name: 'tool-library/collect-tools',
  evenIfCancelled: true,
  input: z.object({ ...jobInput, ...stopInput }),
  output: z.object({
    index: RefSchema,
    ref: RefSchema,
    admitted: count,
    collapsed: count,
    base: count,
    tools: count,
    cases: count,
    open: count,
    stop: z.string().optional(),
  }),
  async run({ jobId, config: ref, stop }, ctx) {
    await noteCaught(ctx, jobId, stop);
    const collected = await collectTools(ctx, await loadConfig(ctx.artifacts, ref));
    await ctx.jobs.stage(jobId, 'EmbedTools', collected.tools);
    return collected;
  },
});
