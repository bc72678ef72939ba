import { z } from 'zod';
import { derivedJobId } from '#shared/determinism/ids.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { executionName } from '#shared/task/envelope.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { isError } from '#shared/task/errors.ts';
import { newJob } from '#shared/task/job-control.ts';
import { lendBudget, settleLoan } from '#shared/models/budget/loan.ts';
import { jobStore, type StoredJob } from '#shared/task/job-store.ts';
import type { Json } from '#shared/storage/ports.ts';
import { loadConfig } from '../config.ts';
import { rowsOf } from '../io.ts';
import { keysOf } from '../keys.ts';
import { validDrafts } from '../synthesis/rounds.ts';
import { count, jobInput } from './schemas.ts';

/** Questions of one solving job. */
const MOST_QUESTIONS = 5000;
/** The workflow that solves; it is started by the machine. */
const SOLVER = 'deep-research';

export interface SolverRow {
  chunk: number;
  jobId: string;
}

/**
 * `PlanSolve`: the next job that tries a round's questions: its questions, its record, and what its execution is given.
 * `solve` is false where nothing is left to try.
 */
export const handler = defineTask({
  name: 'research-questions/plan-solve',
  input: z.object({ ...jobInput, round: count, chunk: count }),
  output: z.object({
    solve: z.boolean(),
    /** False where the job has ended already. */
    run: z.boolean(),
    chunk: count,
    name: z.string(),
    execution: z.json(),
  }),
  async run({ jobId, config: ref, round, chunk }, ctx) {
    const { artifacts, runtime } = ctx;
    const { input, model, corpus } = await loadConfig(artifacts, ref);
    const keys = keysOf(jobId);
    const store = jobStore(runtime);
    const solvers = await rowsOf<SolverRow>(artifacts, keys.solvers(round));
    for (const solver of solvers) {
      if (hasEnded(await store.get(solver.jobId))) await settleLoan(runtime, jobId, solver.jobId);
    }
    // Questions that a solver has judged in an earlier round stand in that round's files.
    const drafts = (await validDrafts(artifacts, jobId, round)).slice(
      chunk * MOST_QUESTIONS,
      (chunk + 1) * MOST_QUESTIONS,
    );
    const nothing = { solve: false, run: false, chunk, name: '', execution: null };
    if (drafts.length === 0) return nothing;

    const solverId = derivedJobId(SOLVER, 'solve', jobId, String(round), String(chunk), String(ctx.attempt));
    const rows = solvers.filter((row) => row.chunk !== chunk);
    await writeJsonl(artifacts, keys.solvers(round), [...rows, { chunk, jobId: solverId }]);
    const questions = await writeJsonl(
      artifacts,
      keys.solve(round, chunk),
      drafts.map(({ question, answer }) => ({ text: question, kind: 'short', gold: answer })),
    );
    const stored = await store.require(jobId);
    const budget = await lendBudget(runtime, jobId, solverId);
    const { entityNoun, index, semanticWeight } = input.corpus;
    const solverInput: Json = {
      questions: { key: questions.key },
      rollouts: input.solverRuns,
      judgeModel: model,
      corpus: { ref: { key: corpus.key }, index, semanticWeight, entityNoun },
      seed: input.seed,
      asOf: stored.job.createdAt.slice(0, 10),
    };
    const job = newJob(runtime, {
      jobId: solverId,
      workflow: SOLVER,
      owner: stored.job.owner,
      input: solverInput,
      ...(stored.job.model === undefined ? {} : { model: stored.job.model }),
      ...(budget ? { budget } : {}),
    });
    await store.create(job).catch((error: unknown) => {
      if (!isError(error, 'Conflict')) throw error;
    });
    const known = await store.require(solverId);
    if (hasEnded(known)) return { ...nothing, chunk: chunk + 1, solve: true };
    return {
      solve: true,
      run: true,
      chunk: chunk + 1,
      name: executionName(solverId, 1),
      execution: { job: { jobId: solverId, workflow: SOLVER, attempt: 1 }, input: solverInput },
    };
  },
});

const hasEnded = (stored: StoredJob | undefined): boolean =>
  stored !== undefined && stored.job.status !== 'QUEUED' && stored.job.status !== 'RUNNING';
