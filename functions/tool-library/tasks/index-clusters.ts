import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { indexClusters } from '../blueprint/parts.ts';
import { loadConfig } from '../config.ts';
import { jobInput, RefSchema } from './refactor-schemas.ts';

const count = z.int().nonnegative();

/** `IndexClusters`: clusters in parts, with their tools and cases. */
export const handler = defineTask({
  name: 'tool-library/index-clusters',
  input: z.object(jobInput),
  output: z.object({ index: RefSchema, parts: count, clusters: count, tools: count }),
  async run(input, ctx) {
    const indexed = await indexClusters(ctx, await loadConfig(ctx.artifacts, input.config));
    await ctx.jobs.stage(input.jobId, 'Blueprint', indexed.tools);
    return indexed;
  },
});
