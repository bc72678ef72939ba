import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { curate } from '../curation/curate.ts';
import { keysOf } from '../keys.ts';
import { toleranceFault } from '../tolerance.ts';
import { Fault, jobInput, RefSchema } from './schemas.ts';

/** `CuratePairs`: gate 10, the output parts, and the tolerance of synthesis. */
export const handler = defineTask({
  name: 'dataset-synthesis/curate',
  input: z.object(jobInput),
  output: z.object({ parts: RefSchema, records: z.int(), fault: Fault }),
  async run({ jobId, config: ref }, ctx) {
    const config = await loadConfig(ctx.artifacts, ref);
    const { generate, check, lost, records, parts } = await curate({ ctx, config, keys: keysOf(jobId) });
    const failed = generate.failed + check.failed + lost;
    const counts = { failed, subjects: generate.planned + lost };
    const fault = toleranceFault('pairs', counts, config.input.tolerance.failedPercent);
    if (records > 0) await ctx.jobs.stage(jobId, 'ExportParts', records);
    return { parts, records, ...(fault === undefined ? {} : { fault }) };
  },
});
