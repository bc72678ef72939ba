import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { buildBenchmarkIndex } from '../curation/benchmarks.ts';
import { keysOf } from '../keys.ts';
import { jobInput } from './schemas.ts';

/** `IndexBenchmarks`: the n-gram hashes of the benchmarks, made once a content. */
export const handler = defineTask({
  name: 'dataset-synthesis/index-benchmarks',
  input: z.object(jobInput),
  output: z.object({ benchmarks: z.int(), items: z.int() }),
  async run({ jobId, config: ref }, ctx) {
    const config = await loadConfig(ctx.artifacts, ref);
    if (config.benchmarks.length === 0) return { benchmarks: 0, items: 0 };
    const names = await buildBenchmarkIndex(config, ctx.runtime, keysOf(jobId));
    return { benchmarks: names.benchmarks.length, items: names.itemIds.length };
  },
});
