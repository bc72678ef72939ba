import { isoTime } from '#shared/determinism/clock.ts';
import { derivedJobId } from '#shared/determinism/ids.ts';
import { writeJson } from '#shared/storage/jsonl.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { UNKNOWN_WORKFLOW } from '#shared/task/check-catalog.ts';
import { isError } from '#shared/task/errors.ts';
import { findWorkflow, newJob, recordTtl } from '#shared/task/job-control.ts';
import { jobStore } from '#shared/task/job-store.ts';
import { problemOf, type ProblemError } from '#shared/task/problems.ts';
import type { MessageContext } from './batch.ts';

/** What could not be started, made visible: a FAILED job with a problem document. Never silence, never the dead letters. */

export interface Rejected {
  /** As it was named; a name that the catalog lacks is filed under `unknown`. */
  workflow: string | undefined;
  owner: string;
  /** What the id derives from, so that a repeated delivery finds the job. */
  identity: readonly string[];
  /** What arrived, for people: never its content. */
  input: Json;
  error: ProblemError;
}

/** The id of a job that derives from what started it; names that the catalog lacks are filed under `unknown`. */
export function startJobId(
  catalog: readonly WorkflowEntry[],
  workflow: string | undefined,
  identity: readonly string[],
): string {
  const known = workflow !== undefined && findWorkflow(catalog, workflow) ? workflow : UNKNOWN_WORKFLOW;
  return derivedJobId(known, ...identity);
}

export async function recordRejected(
  { runtime, log }: MessageContext,
  catalog: readonly WorkflowEntry[],
  rejected: Rejected,
): Promise<void> {
  const entry = rejected.workflow === undefined ? undefined : findWorkflow(catalog, rejected.workflow);
  const workflow = entry?.name ?? UNKNOWN_WORKFLOW;
  const jobId = startJobId(catalog, rejected.workflow, rejected.identity);
  const error = problemOf(rejected.error);
  const store = jobStore(runtime);
  await writeJson(runtime.artifacts, `jobs/${jobId}/problem.json`, error);
  try {
    const job = newJob(runtime, {
      jobId,
      workflow,
      owner: rejected.owner,
      status: 'FAILED',
      input: rejected.input,
      error,
      endedAt: isoTime(runtime.clock.now()),
    });
    await store.create(job, entry ? recordTtl(runtime, entry) : {});
  } catch (failure) {
    // Delivered before.
    if (isError(failure, 'Conflict')) return;
    throw failure;
  }
  await store.event(jobId, { level: 'error', message: error.detail });
  log.metric('Rejects', 1);
  log.metric('JobsFinished', 1);
  log.warn('What arrived could not be started.', { jobId, workflow, type: error.type, detail: error.detail });
}
