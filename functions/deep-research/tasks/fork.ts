import { z } from 'zod';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import type { Run } from '../records.ts';
import type { Question } from '#shared/research/types.ts';
import { loadRewards, scoredGroups } from '../rewards/collect.ts';
import { forkPoints } from '../rewards/fork.ts';
import { createRuns } from '../run/store.ts';
import { lineOf, runOf } from './prepare.ts';
import { count, jobInput, RefSchema } from './schemas.ts';

/** `Fork`: starts new groups from the middle of kept runs: their records, and `forks.jsonl` for another passage. */
export const handler = defineTask({
  name: 'deep-research/fork',
  input: z.object({ ...jobInput, rollouts: RefSchema }),
  output: z.object({ forks: RefSchema, runs: count }),
  async run({ jobId, rollouts, config: ref }, ctx) {
    const { artifacts, records } = ctx;
    const config = await loadConfig(artifacts, ref);
    const { partial, rollouts: G, seed } = config.input;
    const rewards = await loadRewards(artifacts, jobId);
    const heads: { run: Run; question: Question }[] = [];
    for await (const { rows, runs } of scoredGroups({ artifacts, records, jobId, seed }, rollouts, rewards)) {
      for (const parent of forkPoints(rows, partial.perQuestion, seed)) {
        const { question } = runs[0]!;
        for (let g = 0; g < G; g++) heads.push({ run: runOf(config, question, g, parent), question });
      }
    }
    await createRuns(records, jobId, heads);
    const forks = await writeJsonl(
      artifacts,
      keysOf(jobId).forks,
      heads.map(({ run }) => lineOf(run)),
    );
    return { forks, runs: heads.length };
  },
});
