import { z } from 'zod';
import { isoTime } from '#shared/determinism/clock.ts';
import { exportLedger, reconcile, type JobTotals } from '#shared/models/ledger.ts';
import { writeJson } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Json } from '#shared/storage/ports.ts';
import type { TaskContext } from './context.ts';
import { costFrom } from './cost.ts';
import { openEnvelope } from './envelope.ts';
import { invalidInput, isError, notFound } from './errors.ts';
import { jobStore, type StoredJob } from './job-store.ts';
import { isTerminal, type Job, type JobStatus, type Problem } from './jobs.ts';
import { problemOfFailure } from './problems.ts';

/** How every job ends: totals, manifest, status, and last the marker that says the outputs are whole. */

export type EndStatus = Exclude<JobStatus, 'QUEUED' | 'RUNNING'>;

export interface FinishRequest {
  jobId: string;
  /** What the workflow made of it. A failure of a job that was asked to stop counts as CANCELLED. */
  status: EndStatus;
  /** `manifest.content`: what equal runs have in common. */
  content: Json;
  /** More of `manifest.run`: what differs between runs. */
  run?: Record<string, Json>;
  /** Counts by name. */
  yields: Record<string, number>;
  /** Subjects that are left for a resume. */
  pending?: number;
  warnings?: Json[];
  error?: Problem;
  /** The execution's attempt: a stale one changes nothing. Default: the job's. */
  attempt?: number;
}

export interface Finished {
  jobId: string;
  status: EndStatus;
  manifest?: ArtifactRef;
}

export const outputKey = (jobId: string, name: string): string => `jobs/${jobId}/output/${name}`;
export const SUCCESS = '_SUCCESS';
export const PARTIAL = '_PARTIAL';

/** What every machine tells its finish task: the job and attempt, and what a catcher caught. */
export const END_FIELDS = {
  jobId: z.string().optional(),
  workflow: z.string().optional(),
  /** `$states.context.Execution.Name`, and its input, where `Begin` failed before it could name the job. */
  executionName: z.string().optional(),
  event: z.json().optional(),
  attempt: z.int().min(1).optional(),
  /** `$states.errorOutput` of the catcher. */
  error: z.object({ Error: z.string().optional(), Cause: z.string().optional() }).optional(),
};

/**
 * The job a finish task is to end: the one it names, else the one of the execution, where `Begin` failed before it could
 * name it.
 * @throws InvalidInput where neither is given.
 */
export function jobToFinish(request: {
  jobId?: string | undefined;
  workflow?: string | undefined;
  executionName?: string | undefined;
  event?: Json | undefined;
}): string {
  const { jobId, workflow, executionName, event } = request;
  if (jobId !== undefined) return jobId;
  if (workflow === undefined || executionName === undefined || event === undefined) {
    throw invalidInput(
      'Finish needs `jobId`, or `workflow`, `executionName` and `event` to find the job by.',
    );
  }
  return openEnvelope(workflow, executionName, event).jobId;
}

/** The status and problem of an error that a state machine caught (`$states.errorOutput`). */
export function outcomeOf(failure: { Error?: string | undefined; Cause?: string | undefined }): {
  status: EndStatus;
  error?: Problem;
} {
  if (failure.Error === 'Cancelled') return { status: 'CANCELLED' };
  const error = problemOfFailure({ error: failure.Error, cause: failure.Cause });
  return failure.Error === 'BudgetExhausted'
    ? { status: 'BUDGET_EXHAUSTED', error }
    : { status: 'FAILED', error };
}

const markerOf = (status: EndStatus, pending: number): typeof SUCCESS | typeof PARTIAL | undefined => {
  if (status === 'FAILED' || status === 'CANCELLED') return undefined;
  return status === 'BUDGET_EXHAUSTED' || pending > 0 ? PARTIAL : SUCCESS;
};

/**
 * Ends a job: brings its counters in line with the ledger, writes `output/ledger.jsonl` and `output/manifest.json` `{content, run}`, closes the
 * record, and then writes `_SUCCESS`, or `_PARTIAL` where something is pending or the budget ran out. FAILED and
 * CANCELLED jobs get no marker. May be called again: a job that has ended stays as it is, a missing marker is written.
 * @throws NotFound where the job has no record.
 */
export async function finishJob(ctx: TaskContext, request: FinishRequest): Promise<Finished> {
  const { runtime, log } = ctx;
  const store = jobStore(runtime);
  const { jobId, pending = 0 } = request;
  const stored = await store.get(jobId);
  if (!stored) throw notFound(`There is no job ${jobId} to finish.`);
  const attempt = request.attempt ?? stored.job.attempt;
  if (stored.job.attempt !== attempt) {
    log.warn('An execution of an earlier attempt wanted to finish the job.', {
      attempt,
      current: stored.job.attempt,
    });
    return { jobId, status: endOf(stored.job) };
  }
  if (isTerminal(stored.job.status)) return again(ctx, stored, pending);

  const stopped = stored.cancelRequestedAt !== undefined && request.status === 'FAILED';
  const status: EndStatus = stopped ? 'CANCELLED' : request.status;
  const error = status === 'CANCELLED' ? undefined : request.error;
  const totals = await reconcile(runtime, jobId);
  const ledger = await exportLedger(runtime, jobId);
  const endedAt = isoTime(runtime.clock.now());
  const manifest = await writeJson(runtime.artifacts, outputKey(jobId, 'manifest.json'), {
    content: request.content,
    run: {
      ...request.run,
      ...runOf(stored.job, {
        status,
        endedAt,
        totals,
        ledger,
        pending,
        warnings: request.warnings ?? [],
        error,
      }),
    },
  });
  const cost = costFrom(totals);
  try {
    await store.setStatus(jobId, {
      status,
      attempt,
      closedBy: 'finish',
      patch: { yields: request.yields, cost, endedAt, ...(error ? { error } : {}) },
    });
  } catch (failure) {
    if (!isError(failure, 'Conflict')) throw failure;
    return again(ctx, await store.require(jobId), pending);
  }
  await mark(ctx, jobId, status, pending, attempt);
  await store.event(jobId, {
    level: status === 'FAILED' ? 'error' : status === 'SUCCEEDED' ? 'info' : 'warn',
    message: error ? `The job ended as ${status}: ${error.detail}` : `The job ended as ${status}.`,
    data: { yields: request.yields, pending },
  });
  log.metric('JobsFinished', 1);
  log.metric('MicroUsd', totals.microUsd);
  log.info('The job ended.', { status, cost, pending });
  return { jobId, status, manifest };
}

const endOf = (job: Job): EndStatus =>
  job.status === 'QUEUED' || job.status === 'RUNNING' ? 'FAILED' : job.status;

/** A repeated delivery: only the marker may be missing still. */
async function again(ctx: TaskContext, { job, closedBy }: StoredJob, pending: number): Promise<Finished> {
  const status = endOf(job);
  if (closedBy === 'finish') await mark(ctx, job.jobId, status, pending, job.attempt);
  return { jobId: job.jobId, status };
}

async function mark(
  { runtime, log }: TaskContext,
  jobId: string,
  status: EndStatus,
  pending: number,
  attempt: number,
): Promise<void> {
  const marker = markerOf(status, pending);
  // An earlier attempt may have left one that no longer holds.
  const stale = attempt > 1 ? [SUCCESS, PARTIAL].filter((name) => name !== marker) : [];
  for (const name of stale) {
    try {
      await runtime.artifacts.delete(outputKey(jobId, name));
    } catch (error) {
      log.warn('A marker of an earlier attempt could not be removed.', { name, error });
    }
  }
  if (marker) await runtime.artifacts.put(outputKey(jobId, marker), '');
}

function runOf(
  job: Job,
  end: {
    status: EndStatus;
    endedAt: string;
    totals: JobTotals;
    ledger: ArtifactRef;
    pending: number;
    warnings: Json[];
    error: Problem | undefined;
  },
): Record<string, Json> {
  const { totals, error } = end;
  const run = {
    jobId: job.jobId,
    workflow: job.workflow,
    attempt: job.attempt,
    owner: job.owner,
    executionId: job.executionId,
    status: end.status,
    createdAt: job.createdAt,
    startedAt: job.startedAt,
    endedAt: end.endedAt,
    costMicros: totals.microUsd,
    totals,
    ledger: { ...end.ledger },
    pending: end.pending,
    warnings: end.warnings,
    error,
  };
  return JSON.parse(JSON.stringify(run)) as Record<string, Json>;
}
