import { z } from 'zod';
import { indexForJob } from '#shared/research/corpus/index-for-job.ts';
import { writeJson } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import { jobInput } from './schemas.ts';

/** `IndexCorpus`: builds the index of the corpus, or a part of it; invoked again until it is done. */
export const handler = defineTask({
  name: 'research-questions/index-corpus',
  input: z.object(jobInput),
  output: z.object({ done: z.boolean(), corpusId: z.string() }),
  async run({ jobId, config: ref }, ctx) {
    const config = await loadConfig(ctx.artifacts, ref);
    const step = await indexForJob(ctx, jobId, {
      documents: config.corpus,
      index: config.input.corpus.index,
    });
    if (step.done) await writeJson(ctx.artifacts, keysOf(jobId).corpusInfo, step.info);
    return { done: step.done, corpusId: step.corpusId };
  },
});
