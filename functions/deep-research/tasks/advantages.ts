import { z } from 'zod';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import { answerRow, runRow } from '../export/rows.ts';
import type { GroupRow } from '../records.ts';
import { loadRewards, scoredGroups, type ScoredGroup } from '../rewards/collect.ts';
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
    const given = { artifacts, records, jobId, seed: config.input.seed };
    async function* groups(): AsyncGenerator<ScoredGroup> {
      yield* scoredGroups(given, rollouts, rewards);
      if (forks) yield* scoredGroups(given, forks, rewards);
    }
    // Four files of one passage over the runs, each by a passage of its own: nothing has to be held.
    const write = (name: string, rows: (group: ScoredGroup) => unknown[]): Promise<ArtifactRef> =>
      writeRows(artifacts, keys.output(name), groups(), rows);
    const rowed = await write('groups.jsonl', ({ rows }): GroupRow[] => rows);
    await write('runs.jsonl', ({ runs }) => runs.map(runRow));
    await write('rewards.jsonl', ({ rows }) => rows.flatMap(({ runId }) => rewards.get(runId) ?? []));
    await write('answers.jsonl', ({ runs }) => runs.flatMap((judged) => answerRow(judged, rewards) ?? []));
    return { groups: rowed };
  },
});

function writeRows(
  artifacts: Artifacts,
  key: string,
  groups: AsyncIterable<ScoredGroup>,
  rowsOf: (group: ScoredGroup) => unknown[],
): Promise<ArtifactRef> {
  async function* rows(): AsyncGenerator<unknown> {
    for await (const group of groups) yield* rowsOf(group);
  }
  return writeJsonl(artifacts, key, rows());
}
