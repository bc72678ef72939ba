import { budgetOf } from '#shared/models/budget.ts';
import { reconcile, type JobTotals } from '#shared/models/ledger.ts';
import { isTerminal, type Job } from './jobs.ts';
import type { Runtime } from './runtime.ts';

/** What a job shows of its ledger's totals. */
export function costFrom({ microUsd, calls, cacheHits, tokensIn, tokensOut }: JobTotals): Job['cost'] {
  return { microUsd, calls, cacheHits, tokensIn, tokensOut };
}

/** A job's cost after its counters were brought in line with its ledger. */
export async function costOf(runtime: Runtime, jobId: string): Promise<Job['cost']> {
  return costFrom(await reconcile(runtime, jobId));
}

/**
 * A job with what it has cost so far. While it runs that is its budget's spending, cheap to read and up to a lease's
 * renewal (40 s) behind; an ended job carries its reconciled cost.
 */
export async function withCostSoFar(runtime: Runtime, job: Job): Promise<Job> {
  if (isTerminal(job.status)) return job;
  const { spent } = await budgetOf(runtime, job.jobId);
  return {
    ...job,
    cost: {
      ...job.cost,
      microUsd: Math.max(job.cost.microUsd, spent.micros),
      calls: Math.max(job.cost.calls, spent.calls),
    },
  };
}
