import { isoTime } from '#shared/determinism/clock.ts';
import { itemPages } from '#shared/storage/all-items.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { jobStore } from '#shared/task/job-store.ts';
import { ledgerRows } from '../ledger.ts';

const DAY_MS = 86_400_000;
/** Jobs older than this are taken to have ended before today. */
const OLDEST_MS = 7 * DAY_MS;

const probesOf = (time: number): string => `PROBES#${isoTime(time).slice(0, 10)}`;

/** Lists a test of a model under its day: it has a ledger and no job. */
export async function listProbe({ records, clock }: Runtime, jobId: string): Promise<void> {
  const now = clock.now();
  const ttl = Math.floor((now + OLDEST_MS) / 1000);
  await records.put({ pk: probesOf(now), sk: jobId, attributes: {}, ttl });
}

/** The tests of models that began today or yesterday. */
async function* recentProbes({ records, clock }: Runtime): AsyncGenerator<string> {
  for (const time of [clock.now() - DAY_MS, clock.now()]) {
    for await (const page of itemPages(records, { pk: probesOf(time) })) yield* page.map(({ sk }) => sk);
  }
}

/** The owner's jobs of the last week. */
async function* recentJobs(runtime: Runtime, owner: string): AsyncGenerator<string> {
  const jobs = jobStore(runtime);
  const since = isoTime(runtime.clock.now() - OLDEST_MS);
  let after: string | undefined;
  do {
    const page = await jobs.list({ owner, since, limit: 100, ...(after ? { after } : {}) });
    for (const { jobId } of page.items) yield jobId;
    after = page.next;
  } while (after);
}

/**
 * Micro-dollars spent since midnight UTC by model: the ledger rows of the owner's jobs of the last week, and of
 * everyone's tests of models.
 */
export async function spendToday(runtime: Runtime, owner = 'local'): Promise<Map<string, number>> {
  const now = runtime.clock.now();
  const midnight = isoTime(now - (now % DAY_MS));
  const spent = new Map<string, number>();
  for (const ids of [recentJobs(runtime, owner), recentProbes(runtime)]) {
    for await (const jobId of ids) {
      for await (const row of ledgerRows(runtime.records, jobId)) {
        if (row.startedAt >= midnight) spent.set(row.model, (spent.get(row.model) ?? 0) + row.costMicros);
      }
    }
  }
  return spent;
}
