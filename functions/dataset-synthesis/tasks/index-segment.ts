import { jsonIfAny } from '#shared/storage/jsonl.ts';
import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { loadBenchmarkIndex } from '../curation/benchmarks.ts';
import { keysOf } from '../keys.ts';
import { indexSegment, type SegmentDone } from '../sources/index-segment.ts';
import { jobInput, SegmentItems } from './schemas.ts';

/** `IndexSegment`: documents, their ids and input rejects of one segment. A finished segment is not read again. */
export const handler = defineTask({
  name: 'dataset-synthesis/index-segment',
  input: z.object({ ...jobInput, items: SegmentItems }),
  output: z.object({ documents: z.int(), rejects: z.int() }),
  async run({ jobId, config: ref, items }, ctx) {
    const config = await loadConfig(ctx.artifacts, ref);
    const keys = keysOf(jobId);
    const benchmarks = config.input.decontamination.documents
      ? await loadBenchmarkIndex(config, ctx.artifacts, keys)
      : undefined;
    let documents = 0;
    let rejects = 0;
    for (const segment of items) {
      const known = await jsonIfAny<SegmentDone>(ctx.artifacts, keys.segmentDone(segment.segment));
      const done =
        known?.configHash === config.configHash
          ? known
          : await indexSegment(segment, config, ctx.runtime, keys, benchmarks);
      documents += done.documents;
      rejects += Object.values(done.rejectsByCode).reduce((sum, count) => sum + count, 0);
      await ctx.jobs.advance(jobId, 'IndexSegments', segment.segment, 1);
    }
    ctx.log.metric('ItemsOut', documents);
    ctx.log.metric('Rejects', rejects);
    return { documents, rejects };
  },
});
