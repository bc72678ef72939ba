import { z } from 'zod';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { knowledgeOf } from '../io.ts';
import { keysOf } from '../keys.ts';
import { closeShard, planExtensions, planValidation, type ShardScope } from '../synthesis/shard.ts';
import { answered, count, jobInput, PlannedRequests } from './schemas.ts';

/**
 * `Shard`: one stage of a shard of a round. `extend` makes the requests of extend-hop, `validate` takes their answers
 * through the gates and makes those of validate-question, `close` takes those and writes the valid questions.
 */
export const handler = defineTask({
  name: 'research-questions/shard',
  evenIfCancelled: true,
  input: z.object({
    ...jobInput,
    ...answered,
    corpusId: z.string(),
    round: count,
    part: z.string(),
    stage: z.enum(['extend', 'validate', 'close']),
  }),
  output: PlannedRequests,
  async run({ jobId, config: ref, corpusId, round, part, stage, results, stop }, ctx) {
    const { artifacts, runtime } = ctx;
    const scope: ShardScope = {
      artifacts,
      config: await loadConfig(artifacts, ref),
      knowledge: await knowledgeOf(runtime, corpusId),
      keys: keysOf(jobId),
      round,
      part,
    };
    const given = { results: results ?? undefined, stop: stop ?? undefined };
    let lines = 0;
    const requests =
      stage === 'extend'
        ? await planExtensions(scope)
        : stage === 'validate'
          ? await planValidation(scope, given)
          : ((lines = await closeShard(scope, given)), []);
    if (stage === 'close') await ctx.jobs.advance(jobId, `Round${round + 1}`, part, lines);
    const prefix = scope.keys.infer(round, stage, part, ctx.attempt);
    const written = await writeJsonl(artifacts, `${prefix}/requests.jsonl`, requests);
    return { requests: written, prefix, count: requests.length };
  },
});
