import { z } from 'zod';
import { questionId } from '#shared/research/ids.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { rowsOf } from '../io.ts';
import { keysOf } from '../keys.ts';
import type { Draft, Reject } from '../records.ts';
import { verdictOn } from '../synthesis/harden.ts';
import { acceptedDrafts, stoppedBy, validDrafts } from '../synthesis/rounds.ts';
import type { SolverRow } from './plan-solve.ts';
import { count, jobInput } from './schemas.ts';

/** `Harden`: accepts the round's questions that are hard enough, leaves easier ones to the next round, rejects harder ones. */
export const handler = defineTask({
  name: 'research-questions/harden',
  evenIfCancelled: true,
  input: z.object({ ...jobInput, round: count }),
  output: z.object({ again: z.boolean(), round: count, accepted: count }),
  async run({ jobId, config: ref, round }, ctx) {
    const { artifacts } = ctx;
    const config = await loadConfig(artifacts, ref);
    const { input } = config;
    const keys = keysOf(jobId);
    const lastRound = round + 1 >= input.hops.max;
    const solved = input.solverRuns > 0 ? await solvedShares(artifacts, keys.solvers(round)) : undefined;
    const accepted: Draft[] = [];
    const open: Draft[] = [];
    const rejects: Reject[] = [];
    for (const draft of await validDrafts(artifacts, jobId, round)) {
      const share = solved?.get(questionId('short', draft.question));
      // A question whose solvers did not come to an end is as good as none.
      if (solved && share === undefined) {
        rejects.push({
          id: draft.id,
          stage: 'harden',
          code: 'model_failed',
          detail: 'No solver ended.',
          question: draft.question,
        });
        continue;
      }
      const hardness = share === undefined ? undefined : 1 - share;
      const verdict = verdictOn(draft, hardness, config, lastRound);
      const judged = hardness === undefined ? draft : { ...draft, hardness };
      if (verdict.to === 'accept') accepted.push(judged);
      else if (verdict.to === 'open') open.push(judged);
      else
        rejects.push({
          id: draft.id,
          stage: 'harden',
          code: verdict.code,
          detail: verdict.detail,
          question: draft.question,
        });
    }
    await writeJsonl(artifacts, keys.accepted(round), accepted);
    await writeJsonl(artifacts, keys.open(round), open);
    await writeJsonl(artifacts, keys.rejects(round, 'harden'), rejects);
    const total = (await acceptedDrafts(artifacts, jobId, round + 1)).length;
    const stopped =
      (await stoppedBy(artifacts, jobId, round + 1)).length > 0 || (await ctx.jobs.cancelRequested(jobId));
    return { again: open.length > 0 && !lastRound && !stopped, round: round + 1, accepted: total };
  },
});

/** The share of solver runs that were right, by question id: what no run ended for is absent. */
async function solvedShares(
  artifacts: Parameters<typeof rowsOf>[0],
  solvers: string,
): Promise<Map<string, number>> {
  const right = new Map<string, number>();
  const runs = new Map<string, number>();
  for (const { jobId } of await rowsOf<SolverRow>(artifacts, solvers)) {
    const output = (name: string): string => `jobs/${jobId}/output/${name}`;
    const rewards = new Map(
      (await rowsOf<{ runId: string; total: number }>(artifacts, output('rewards.jsonl'))).map(
        ({ runId, total }) => [runId, total],
      ),
    );
    for (const run of await rowsOf<{ runId: string; questionId: string; status: string }>(
      artifacts,
      output('runs.jsonl'),
    )) {
      if (run.status !== 'answered' && run.status !== 'forced') continue;
      runs.set(run.questionId, (runs.get(run.questionId) ?? 0) + 1);
      right.set(run.questionId, (right.get(run.questionId) ?? 0) + (rewards.get(run.runId) === 1 ? 1 : 0));
    }
  }
  return new Map([...runs].map(([id, n]) => [id, right.get(id)! / n]));
}
