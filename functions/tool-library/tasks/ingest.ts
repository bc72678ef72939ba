import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { ingest } from '../ingest/ingest.ts';
import { jobInput, RefSchema } from './create-schemas.ts';

const count = z.int().nonnegative();

/** `Ingest`: rows become shards of problems and imported tools. */
export const handler = defineTask({
  name: 'tool-library/ingest',
  input: z.object(jobInput),
  output: z.object({
    index: RefSchema,
    shards: count,
    problems: count,
    tools: count,
    duplicates: count,
    rejects: count,
  }),
  async run({ jobId, config: ref }, ctx) {
    const ingested = await ingest(ctx, await loadConfig(ctx.artifacts, ref));
    await ctx.jobs.stage(jobId, 'CreateTools', ingested.problems + ingested.tools);
    return ingested;
  },
});
