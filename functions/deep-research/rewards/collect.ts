import { readJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts, Records } from '#shared/storage/ports.ts';
import { keysOf } from '../keys.ts';
import type { GroupRow, Reward } from '../records.ts';
import { groupLines, type GroupLine } from '../scoring/groups.ts';
import { judgedRuns, sampleOf, type JudgedRun } from '../scoring/judged.ts';
import { groupRows } from './advantages.ts';

/** Rewards of a job by run, from the parts that scoring wrote. */
export async function loadRewards(artifacts: Artifacts, jobId: string): Promise<Map<string, Reward>> {
  const rewards = new Map<string, Reward>();
  let after: string | undefined;
  do {
    const page = await artifacts.list({
      prefix: keysOf(jobId).score('rewards/'),
      ...(after === undefined ? {} : { after }),
    });
    for (const { key } of page.objects) {
      for await (const { value } of readJsonl(artifacts, key))
        rewards.set((value as Reward).runId, value as Reward);
    }
    after = page.next;
  } while (after !== undefined);
  return rewards;
}

export interface ScoredGroup {
  line: GroupLine;
  runs: JudgedRun[];
  rows: GroupRow[];
}

/** The groups of a rollout file with their runs and rows, in its order. */
export async function* scoredGroups(
  given: { artifacts: Artifacts; records: Records; jobId: string; seed: number },
  rollouts: ArtifactRef,
  rewards: ReadonlyMap<string, Reward>,
): AsyncGenerator<ScoredGroup> {
  for await (const line of groupLines(given.artifacts, rollouts)) {
    const runs = await judgedRuns(given.records, given.jobId, line);
    const samples = await Promise.all(
      runs.map((judged) => sampleOf(judged, rewards.get(judged.run.runId)?.total)),
    );
    yield { line, runs, rows: groupRows(line.groupId, samples, given.seed) };
  }
}
