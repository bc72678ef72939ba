import { readJsonl } from '#shared/storage/jsonl.ts';
import type { Artifacts, Records } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import { keysOf } from '../keys.ts';
import { isEnded, type GroupRow, type RolloutLine } from '../records.ts';
import { loadHeads } from '../run/store.ts';

/** What became of a job, counted from its records and outputs. */
export interface JobCounts {
  questions: number;
  rejected: number;
  runs: number;
  /** Runs by status. */
  status: Record<string, number>;
  unfinished: number;
  /** Ended by the job's budget. */
  outOfBudget: number;
  steps: number;
  citations: number;
  verifiedCitations: number;
  groups: number;
  groupsKept: number;
  samples: number;
  drops: Record<string, number>;
  meanReward?: number;
}

async function* rowsIfAny<T>(artifacts: Artifacts, key: string): AsyncGenerator<T> {
  try {
    for await (const { value } of readJsonl(artifacts, key)) yield value as T;
  } catch (error) {
    if (!isError(error, 'NotFound')) throw error;
  }
}

const more = (counts: Record<string, number>, name: string): void => {
  counts[name] = (counts[name] ?? 0) + 1;
};

export async function countJob(artifacts: Artifacts, records: Records, jobId: string): Promise<JobCounts> {
  const keys = keysOf(jobId);
  const counts: JobCounts = {
    questions: 0,
    rejected: 0,
    runs: 0,
    status: {},
    unfinished: 0,
    outOfBudget: 0,
    steps: 0,
    citations: 0,
    verifiedCitations: 0,
    groups: 0,
    groupsKept: 0,
    samples: 0,
    drops: {},
  };
  for await (const _ of rowsIfAny(artifacts, keys.questions)) counts.questions++;
  for await (const _ of rowsIfAny(artifacts, keys.rejects)) counts.rejected++;
  async function* runIds(): AsyncGenerator<string> {
    for (const key of [keys.rollouts, keys.forks]) {
      for await (const { runId } of rowsIfAny<RolloutLine>(artifacts, key)) yield runId;
    }
  }
  for await (const { run } of loadHeads(records, jobId, runIds())) {
    counts.runs++;
    more(counts.status, run.status);
    if (!isEnded(run.status)) counts.unfinished++;
    if (run.status === 'skipped' || run.endReason === 'budget') counts.outOfBudget++;
    counts.steps += run.usage.steps;
    for (const { status } of run.answer?.citations ?? []) {
      counts.citations++;
      if (status === 'verified') counts.verifiedCitations++;
    }
  }
  const groups = new Map<string, boolean>();
  let rewards = 0;
  let total = 0;
  for await (const row of rowsIfAny<GroupRow>(artifacts, keys.output('groups.jsonl'))) {
    groups.set(row.groupId, (groups.get(row.groupId) ?? false) || row.kept);
    if (row.kept) counts.samples += row.T;
    else more(counts.drops, row.dropReason ?? 'unknown');
    if (row.dropReason !== 'unscored' && row.dropReason !== 'truncated') {
      rewards++;
      total += row.reward;
    }
  }
  counts.groups = groups.size;
  counts.groupsKept = [...groups.values()].filter(Boolean).length;
  if (rewards > 0) counts.meanReward = total / rewards;
  return counts;
}
