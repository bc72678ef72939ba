import { z } from 'zod';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { jsonIfAny, readJsonl, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import { judgedRuns } from '../scoring/judged.ts';
import { firstRound, newWork, rankRound, rewardsOf, secondRound, type ScoreWork } from '../scoring/score.ts';
import { count, jobInput, RefSchema } from './schemas.ts';

const GroupLineSchema = z.strictObject({
  groupId: z.string(),
  questionId: z.string(),
  runs: z.array(z.string()).min(1),
});

/**
 * `Score`: one round of scoring a batch of groups. Round 0 decides what comparison and tests can and gives requests to
 * verify and grade; the next ones take the answers and give requests to rank. A round without requests (`count` 0) has
 * written the rewards. With `stop` (the error that ended inference) answers that did not come are given by rules.
 */
export const handler = defineTask({
  name: 'deep-research/score',
  evenIfCancelled: true,
  input: z.object({
    ...jobInput,
    items: z.array(GroupLineSchema).min(1),
    round: count,
    /** Of the round before. */
    results: RefSchema.nullish(),
    prefix: z.string().nullish(),
    stop: z.string().nullish(),
  }),
  output: z.object({ round: count, count, requests: RefSchema, prefix: z.string() }),
  async run(input, ctx) {
    const { jobId, items, round } = input;
    const { artifacts, runtime } = ctx;
    const config = await loadConfig(artifacts, input.config);
    const keys = keysOf(jobId);
    const part = items[0]!.groupId;
    const workKey = keys.score(`work/${part}.${ctx.attempt}.json`);
    const work = round === 0 ? newWork() : ((await jsonIfAny<ScoreWork>(artifacts, workKey)) ?? newWork());
    if (input.stop || (await ctx.jobs.cancelRequested(jobId))) work.stopped = true;

    const groups = [];
    for (const line of items) groups.push({ line, runs: await judgedRuns(ctx.records, jobId, line) });
    const scope = { config, runtime, signal: ctx.signal, groups };
    let requests: InferRequest[];
    if (round === 0) requests = await firstRound(scope, work);
    else {
      const results = new Map<string, InferResult>();
      if (input.results) {
        for await (const { value } of readJsonl(artifacts, input.results)) {
          const result = value as InferResult;
          results.set(result.id, result);
        }
      }
      requests = await (round === 1 ? secondRound : rankRound)(scope, work, results);
    }
    // Reports that only this round had graded by rules are ranked by rules too.
    if (requests.length === 0) {
      const rest = round === 0 ? await secondRound(scope, work, new Map()) : [];
      requests = rest;
    }
    await writeJson(artifacts, workKey, work);
    if (requests.length === 0) {
      await writeJsonl(artifacts, keys.score(`rewards/${part}.jsonl`), rewardsOf(scope, work));
    }
    const prefix = keys.score(`infer/${part}.${round}.${ctx.attempt}`);
    const ref = await writeJsonl(artifacts, `${prefix}/requests.jsonl`, requests);
    return { round: round + 1, count: requests.length, requests: ref, prefix };
  },
});
