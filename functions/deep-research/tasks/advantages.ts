import { z } from 'zod';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import { answerRow, runRow } from '../export/rows.ts';
import type { GroupRow } from '../records.ts';
import { loadRewards, scoredGroups } from '../rewards/collect.ts';
import { groupLines } from '../scoring/groups.ts';
import { judgedRuns, type JudgedRun } from '../scoring/judged.ts';
import { jobInput, RefSchema } from './schemas.ts';

/** `Advantages`: `output/groups.jsonl` with the advantages of kept runs, and `answers`, `runs` and `rewards` beside it. */
export const handler = defineTask({
  name: 'deep-research/advantages',
  evenIfCancelled: true,
  input: z.object({ ...jobInput, rollouts: RefSchema, forks: RefSchema.nullish() }),
  output: z.object({ groups: RefSchema }),
  async run({ jobId, rollouts, forks, config: ref }, ctx) {
    const { artifacts, records } = ctx;
    const config = await loadConfig(artifacts, ref);
    const keys = keysOf(jobId);
    const rewards = await loadRewards(artifacts, jobId);
    const sources = [rollouts, ...(forks ? [forks] : [])];
    const given = { artifacts, records, jobId, seed: config.input.seed };
    async function* groupRowsOf(): AsyncGenerator<GroupRow> {
      for (const source of sources) {
        for await (const { rows } of scoredGroups(given, source, rewards)) yield* rows;
      }
    }
    const groups = await writeJsonl(artifacts, keys.output('groups.jsonl'), groupRowsOf());
    async function* runs(): AsyncGenerator<JudgedRun> {
      for (const source of sources) {
        for await (const line of groupLines(artifacts, source)) yield* await judgedRuns(records, jobId, line);
      }
    }
    async function* mapped(map: (judged: JudgedRun) => unknown): AsyncGenerator<unknown> {
      for await (const judged of runs()) {
        const row = map(judged);
        if (row !== undefined) yield row;
      }
    }
    await writeJsonl(artifacts, keys.output('runs.jsonl'), mapped(runRow));
    await writeJsonl(
      artifacts,
      keys.output('rewards.jsonl'),
      mapped(({ run }) => rewards.get(run.runId)),
    );
    await writeJsonl(
      artifacts,
      keys.output('answers.jsonl'),
      mapped((judged) => answerRow(judged, rewards)),
    );
    return { groups };
  },
});
