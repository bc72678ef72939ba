import { z } from 'zod';
import { derivedJobId } from '#shared/determinism/ids.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { executionName } from '#shared/task/envelope.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { cancelled, isError } from '#shared/task/errors.ts';
import { newJob } from '#shared/task/job-control.ts';
import { lendBudget, settleLoan } from '#shared/models/budget/loan.ts';
import { jobStore, type JobStore } from '#shared/task/job-store.ts';
import { isTerminal } from '#shared/task/jobs.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { Artifacts, Json } from '#shared/storage/ports.ts';
import { loadConfig } from '../config.ts';
import { rowsOf } from '../io.ts';
import { keysOf } from '../keys.ts';
import { validDrafts } from '../synthesis/rounds.ts';
import { count, jobInput } from './schemas.ts';

/** Questions of one solving job. */
const MOST_QUESTIONS = 5000;
/** The workflow that solves; it is started by the machine. */
const SOLVER = 'deep-research';
/** Times that the questions of one job are given to a solver: an execution that does not come to an end is begun again. */
const MOST_TRIES = 3;

export interface SolverRow {
  chunk: number;
  jobId: string;
}

/**
 * `PlanSolve`: the next job that tries a round's questions: its questions, its record, and what its execution is given.
 * `solve` is false where nothing is left to try. The job is a child of this one: who cancels this one cancels it, and
 * a solver that was cancelled so has a successor when this job is resumed.
 */
export const handler = defineTask({
  name: 'research-questions/plan-solve',
  input: z.object({ ...jobInput, round: count, chunk: count, tries: count }),
  output: z.object({
    solve: z.boolean(),
    /** The chunk of questions that is tried, and how often it was given to a solver in this execution. */
    chunk: count,
    tries: count,
    name: z.string(),
    execution: z.json(),
  }),
  async run({ jobId, config: ref, round, chunk: from, tries: before }, ctx) {
    const { artifacts, runtime } = ctx;
    const { input, model, corpus } = await loadConfig(artifacts, ref);
    const keys = keysOf(jobId);
    const store = jobStore(runtime);
    for (let n = 0; n <= round; n++) await settleLoans(runtime, store, artifacts, jobId, keys.solvers(n));
    // Questions that a solver has judged in an earlier round stand in that round's files.
    const drafts = await validDrafts(artifacts, jobId, round);
    const stage = `Solve${round + 1}`;
    await ctx.jobs.stage(jobId, stage, drafts.length);
    for (let chunk = from, tries = before; ; chunk++, tries = 0) {
      const some = drafts.slice(chunk * MOST_QUESTIONS, (chunk + 1) * MOST_QUESTIONS);
      if (some.length === 0) return { solve: false, chunk, tries, name: '', execution: null };
      const solverId = await solverOf(store, [jobId, String(round), String(chunk), String(ctx.attempt)]);
      const known = await store.get(solverId);
      if ((known && isTerminal(known.job.status)) || tries >= MOST_TRIES) {
        await ctx.jobs.advance(jobId, stage, String(chunk), some.length);
        continue;
      }

      const rows = (await rowsOf<SolverRow>(artifacts, keys.solvers(round))).filter(
        (row) => row.chunk !== chunk,
      );
      await writeJsonl(artifacts, keys.solvers(round), [...rows, { chunk, jobId: solverId }]);
      const questions = await writeJsonl(
        artifacts,
        keys.solve(round, chunk),
        some.map(({ question, answer }) => ({ text: question, kind: 'short', gold: answer })),
      );
      const stored = await store.require(jobId);
      const { entityNoun, index, semanticWeight } = input.corpus;
      const solverInput: Json = {
        questions: { key: questions.key },
        rollouts: input.solverRuns,
        judgeModel: model,
        corpus: { ref: { key: corpus.key }, index, semanticWeight, entityNoun },
        seed: input.seed,
        asOf: stored.job.createdAt.slice(0, 10),
      };
      await store.addChild(jobId, solverId);
      const budget = await lendBudget(runtime, jobId, solverId);
      const job = newJob(runtime, {
        jobId: solverId,
        workflow: SOLVER,
        owner: stored.job.owner,
        input: solverInput,
        ...(stored.job.model === undefined ? {} : { model: stored.job.model }),
        ...(budget ? { budget } : {}),
      });
      await store.create(job).catch(ignoreConflict);
      // Who cancelled this job before the solver's record was there has not found it.
      if ((await store.require(jobId)).cancelRequestedAt !== undefined) {
        await store
          .setStatus(solverId, { status: 'CANCELLED', from: ['QUEUED'], closedBy: 'request' })
          .catch(ignoreConflict);
        throw cancelled(`The job ${jobId} was asked to stop.`);
      }
      const message = `The agent tries ${some.length} questions: ${solverId}.`;
      await ctx.jobs.event(jobId, { level: 'info', stage, message });
      return {
        solve: true,
        chunk,
        tries: tries + 1,
        name: executionName(solverId, 1),
        execution: { job: { jobId: solverId, workflow: SOLVER, attempt: 1 }, input: solverInput },
      };
    }
  },
});

const ignoreConflict = (error: unknown): void => {
  if (!isError(error, 'Conflict')) throw error;
};

/** The solver of some questions in an attempt of the job: the last one, whose predecessors were cancelled with the job. */
async function solverOf(store: JobStore, subject: string[]): Promise<string> {
  for (let nth = 0; ; nth++) {
    const jobId = derivedJobId(SOLVER, 'solve', ...subject, ...(nth === 0 ? [] : [String(nth)]));
    if ((await store.get(jobId))?.job.status !== 'CANCELLED') return jobId;
  }
}

/** Gives back what ended solvers have not spent. */
async function settleLoans(
  runtime: Runtime,
  store: JobStore,
  artifacts: Artifacts,
  jobId: string,
  solvers: string,
): Promise<void> {
  for (const solver of await rowsOf<SolverRow>(artifacts, solvers)) {
    const known = await store.get(solver.jobId);
    if (known && isTerminal(known.job.status)) await settleLoan(runtime, jobId, solver.jobId);
  }
}
