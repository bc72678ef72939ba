import { z } from 'zod';
import type { InferResult } from '#shared/models/types.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { knowledgeOf, rowsOf } from '../io.ts';
import { keysOf } from '../keys.ts';
import { reportQuestions, rubricRequests, topicsOf } from '../synthesis/reports.ts';
import { answered, jobInput, PlannedRequests } from './schemas.ts';

/** `Rubric`: makes the requests of write-rubric (`ask`), and report questions from their answers (`take`). */
export const handler = defineTask({
  name: 'research-questions/rubric',
  evenIfCancelled: true,
  input: z.object({ ...jobInput, ...answered, corpusId: z.string(), stage: z.enum(['ask', 'take']) }),
  output: PlannedRequests,
  async run({ jobId, config: ref, corpusId, stage, results, stop }, ctx) {
    const { artifacts, runtime } = ctx;
    const config = await loadConfig(artifacts, ref);
    const knowledge = await knowledgeOf(runtime, corpusId);
    const keys = keysOf(jobId);
    const topics = topicsOf(knowledge, config);
    if (stage === 'take') {
      const rows = results ? await rowsOf<InferResult>(artifacts, results) : [];
      const byId = new Map(rows.map((result) => [result.id, result]));
      const made = reportQuestions(topics, byId, config, Boolean(stop));
      await writeJsonl(artifacts, keys.reports, made.questions);
      await writeJsonl(artifacts, keys.reportRejects, made.rejects);
    }
    const requests = stage === 'ask' ? rubricRequests(topics, knowledge, config) : [];
    const prefix = keys.infer(0, 'rubric', stage, ctx.attempt);
    const written = await writeJsonl(artifacts, `${prefix}/requests.jsonl`, requests);
    return { requests: written, prefix, count: requests.length };
  },
});
