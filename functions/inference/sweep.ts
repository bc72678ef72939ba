import { sweepAsync } from '#shared/models/batch/async/sweep.ts';
import { jobsWithLeases, sweepLeases } from '#shared/models/budget.ts';
import { cacheCapOf, trimCache } from '#shared/models/cache/journal.ts';
import { doorOf } from '#shared/models/door/doors.ts';
import { currentRuntime } from '#shared/task/runtime.ts';
import { completionContext } from './completion.ts';

/**
 * Runs every minute: completes asynchronous calls whose notification was lost, ends expired ones, keeps tokens alive,
 * closes budget leases of processes that are gone, and keeps the embedded cache within its cap.
 */
export async function handler(): Promise<{ asyncSwept: number; leasesClosed: number; cacheRemoved: number }> {
  const runtime = await currentRuntime();
  const context = await completionContext(runtime);
  const asyncSwept = await sweepAsync(doorOf(runtime), context);
  let leasesClosed = 0;
  for (const jobId of await jobsWithLeases(runtime.records)) {
    leasesClosed += await sweepLeases(runtime, context.registry, jobId);
  }
  const cacheRemoved = runtime.kind === 'embedded' ? await trimCache(runtime, cacheCapOf(runtime.env)) : 0;
  return { asyncSwept, leasesClosed, cacheRemoved };
}
