import { derivedJobId, workflowOfJob } from '#shared/determinism/ids.ts';
import type { Json } from '#shared/storage/ports.ts';
import { invalidInput } from './errors.ts';
import type { ExecutionEnvelope } from './jobs.ts';

/** How executions and jobs find each other (infra-api-cli sections 4 and 8). */

/** The name of the execution that works for a job's attempt. */
export const executionName = (jobId: string, attempt: number): string => `${jobId}.${attempt}`;

/** The job of an execution that somebody started by hand: always the same for the same execution name. */
export const consoleJobId = (workflow: string, name: string): string =>
  derivedJobId(workflow, 'execution', name);

export interface Opened {
  jobId: string;
  attempt: number;
  input: Json;
  /** The platform's envelope, not a bare input. */
  enveloped: boolean;
}

/**
 * Takes an execution's input apart: the platform's envelope `{job: {jobId, workflow, attempt}, input}`, or anything
 * else as a bare input of a job derived from the execution's name.
 * @throws InvalidInput for an envelope of another workflow's job.
 */
export function openEnvelope(workflow: string, name: string, event: Json): Opened {
  const job = envelopeJob(event);
  if (!job) return { jobId: consoleJobId(workflow, name), attempt: 1, input: event, enveloped: false };
  if (workflowOfJob(job.jobId) !== workflow || job.workflow !== workflow) {
    throw invalidInput(
      `The envelope names the job "${job.jobId.slice(0, 80)}", which is none of ${workflow}.`,
    );
  }
  return { jobId: job.jobId, attempt: job.attempt, input: (event as { input: Json }).input, enveloped: true };
}

function envelopeJob(event: Json): ExecutionEnvelope['job'] | undefined {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return undefined;
  if (Object.keys(event).sort().join() !== 'input,job') return undefined;
  const { job } = event;
  if (typeof job !== 'object' || job === null || Array.isArray(job)) return undefined;
  const { jobId, workflow, attempt } = job;
  if (typeof jobId !== 'string' || typeof workflow !== 'string') return undefined;
  if (typeof attempt !== 'number' || !Number.isInteger(attempt) || attempt < 1) return undefined;
  return { jobId, workflow, attempt };
}
