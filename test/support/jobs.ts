import { workflowOfJob } from '#shared/determinism/ids.ts';
import type { Job } from '#shared/task/jobs.ts';

/** A queued job's record, for tests that need one. */
export function newJob(jobId: string, patch: Partial<Job> = {}): Job {
  return {
    jobId,
    workflow: workflowOfJob(jobId) ?? 'sample',
    status: 'QUEUED',
    owner: 'local',
    attempt: 1,
    input: {},
    progress: { stage: '', done: 0, total: 0 },
    yields: {},
    cost: { microUsd: 0, calls: 0, cacheHits: 0, tokensIn: 0, tokensOut: 0 },
    createdAt: '2026-01-01T00:00:00.000Z',
    ...patch,
  };
}
