import { isoTime } from '#shared/determinism/clock.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { jobStore } from '#shared/task/job-store.ts';
import { ledgerRows } from '../ledger.ts';

const DAY_MS = 86_400_000;
/** Jobs older than this are taken to have ended before today. */
const OLDEST_MS = 7 * DAY_MS;

/**
 * Micro-dollars spent since midnight UTC by model: the ledger rows of the owner's jobs of the last week. Probes of
 * models are not jobs and not counted.
 */
export async function spendToday(runtime: Runtime, owner = 'local'): Promise<Map<string, number>> {
  const now = runtime.clock.now();
  const midnight = isoTime(now - (now % DAY_MS));
  const spent = new Map<string, number>();
  const jobs = jobStore(runtime);
  let after: string | undefined;
  do {
    const page = await jobs.list({
      owner,
      since: isoTime(now - OLDEST_MS),
      limit: 100,
      ...(after ? { after } : {}),
    });
    for (const { jobId } of page.items) {
      for await (const row of ledgerRows(runtime.records, jobId)) {
        if (row.startedAt >= midnight) spent.set(row.model, (spent.get(row.model) ?? 0) + row.costMicros);
      }
    }
    after = page.next;
  } while (after);
  return spent;
}
