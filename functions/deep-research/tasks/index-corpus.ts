import { z } from 'zod';
import { indexForJob } from '#shared/research/corpus/index-for-job.ts';
import { wholeRef } from '#shared/research/corpus/input.ts';
import { writeJson } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import { jobInput } from './schemas.ts';

/** `IndexCorpus`: builds the index of the corpus, or a part of it; invoked again until it is done. */
export const handler = defineTask({
  name: 'deep-research/index-corpus',
  input: z.object(jobInput),
  output: z.object({ done: z.boolean(), corpusId: z.string().optional() }),
  async run({ jobId, config: ref }, ctx) {
    const { artifacts } = ctx;
    const config = await loadConfig(artifacts, ref);
    const { corpus } = config.input;
    if (!corpus) return { done: true };
    const documents = await wholeRef(artifacts, corpus.ref);
    const step = await indexForJob(ctx, jobId, { documents, index: corpus.index });
    if (!step.done) return { done: false };
    await writeJson(artifacts, keysOf(jobId).at('corpus.json'), step.info);
    return { done: true, corpusId: step.corpusId };
  },
});
