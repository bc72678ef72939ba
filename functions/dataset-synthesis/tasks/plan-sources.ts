import { z } from 'zod';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import { rejectOf } from '../rejects.ts';
import { planSources } from '../sources/plan.ts';
import { jobInput, RefSchema } from './schemas.ts';

/** `PlanSources`: `index/segments.jsonl`, one line a stretch that one task reads. */
export const handler = defineTask({
  name: 'dataset-synthesis/plan-sources',
  input: z.object(jobInput),
  output: z.object({ segments: RefSchema, count: z.int(), files: z.int() }),
  async run({ jobId, config: ref }, ctx) {
    const config = await loadConfig(ctx.artifacts, ref);
    const keys = keysOf(jobId);
    const plan = await planSources(config.input.sources, ctx.runtime, keys);
    const segments = await writeJsonl(ctx.artifacts, keys.segments, plan.segments);
    const rejects = plan.rejects.map((draft) => rejectOf(jobId, 'index', draft));
    await writeJsonl(ctx.artifacts, keys.planRejects, rejects);
    await ctx.jobs.stage(jobId, 'IndexSegments', plan.segments.length);
    return { segments, count: plan.segments.length, files: plan.files };
  },
});
