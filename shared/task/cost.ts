import { reconcile, type JobTotals } from '#shared/models/ledger.ts';
import type { Job } from './jobs.ts';
import type { Runtime } from './runtime.ts';

/** What a job shows of its ledger's totals. */
export function costFrom({ microUsd, calls, cacheHits, tokensIn, tokensOut }: JobTotals): Job['cost'] {
  return { microUsd, calls, cacheHits, tokensIn, tokensOut };
}

/** A job's cost after its counters were brought in line with its ledger. */
export async function costOf(runtime: Runtime, jobId: string): Promise<Job['cost']> {
  return costFrom(await reconcile(runtime, jobId));
}
