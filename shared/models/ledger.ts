import type { Clock } from '#shared/determinism/clock.ts';
import type { ArtifactRef, Artifacts, Records } from '#shared/storage/ports.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { isError } from '#shared/task/errors.ts';
import {
  additions,
  amounts,
  budgetKey,
  budgetState,
  sumOf,
  lessOf,
  UNITS,
  type Amounts,
} from './budget/item.ts';
import { lapseRows, queryRows, sweepLeases } from './budget/sweep.ts';
import { releaseJob } from './door/doors.ts';
import { LEDGER_SHARDS, ledgerPk, usesOf } from './ledger/row.ts';
import { emitMismatch } from './observability/metrics.ts';
import { loadRegistry } from './registry.ts';
import type { LedgerRow } from './types.ts';
import type { Runtime } from '#shared/task/runtime.ts';

/** What a job, or one of its roles, has used. */
export interface Totals {
  microUsd: number;
  /** Attempts, successful or not; cache hits are none. */
  calls: number;
  cacheHits: number;
  tokensIn: number;
  tokensOut: number;
  /** Part of tokensIn. */
  tokensCached: number;
  /** What the cache hits had cost. */
  savedMicros: number;
}

export interface JobTotals extends Totals {
  byRole: Record<string, Totals>;
}

const zero = (): Totals => ({
  microUsd: 0,
  calls: 0,
  cacheHits: 0,
  tokensIn: 0,
  tokensOut: 0,
  tokensCached: 0,
  savedMicros: 0,
});

function addRow(totals: Totals, row: LedgerRow): void {
  totals.microUsd += row.costMicros;
  if (row.kind === 'cache') totals.cacheHits++;
  else totals.calls++;
  totals.tokensIn += row.tokensIn;
  totals.tokensOut += row.tokensOut;
  totals.tokensCached += row.tokensCached;
  totals.savedMicros += row.savedMicros;
}

/** Every row of a job, shard by shard. */
export async function* ledgerRows(records: Records, jobId: string): AsyncGenerator<LedgerRow> {
  for (const shard of LEDGER_SHARDS) yield* await queryRows(records, ledgerPk(jobId, shard));
}

/** Sums a job's ledger: the truth about what it used. Reads every row. */
export async function totalsOf(runtime: { records: Records }, jobId: string): Promise<JobTotals> {
  return (await sumLedger(runtime.records, jobId)).totals;
}

async function sumLedger(
  records: Records,
  jobId: string,
): Promise<{ totals: JobTotals; used: Amounts; byLease: Map<string, Amounts>; open: LedgerRow[] }> {
  const sum = zero();
  const byRole = new Map<string, Totals>();
  const byLease = new Map<string, Amounts>();
  const open: LedgerRow[] = [];
  let used = amounts();
  for await (const row of ledgerRows(records, jobId)) {
    const role = byRole.get(row.role) ?? zero();
    byRole.set(row.role, role);
    addRow(sum, row);
    addRow(role, row);
    // What an open row will cost is not known, so it is spent by nobody yet; a cache hit costs no one anything.
    if (row.state === 'open') open.push(row);
    if (row.state === 'open' || row.kind === 'cache') continue;
    used = sumOf(used, usesOf(row));
    byLease.set(row.leaseId, sumOf(byLease.get(row.leaseId) ?? amounts(), usesOf(row)));
  }
  const roles = [...byRole].sort(([a], [b]) => (a < b ? -1 : 1));
  return { totals: { ...sum, byRole: Object.fromEntries(roles) }, used, byLease, open };
}

/**
 * Settles a job's accounts: this process gives its leases back, lapsed leases of others are closed, open rows without
 * a lease lapse, and the counters of the budget item are compared with the ledger. The ledger wins; a difference is repaired and emits LedgerMismatch.
 * @returns the job's totals.
 */
export async function reconcile(runtime: Runtime, jobId: string): Promise<JobTotals> {
  await releaseJob(runtime, jobId);
  const registry = await loadRegistry(runtime);
  await sweepLeases(runtime, registry, jobId);
  for (;;) {
    const before = budgetState(await runtime.records.get(budgetKey(jobId)));
    const { totals, used, byLease, open } = await sumLedger(runtime.records, jobId);
    if (open.length > 0) {
      // Open under a lease that is closed: what a write left that failed for its caller and was done all the same.
      const { leases } = budgetState(await runtime.records.get(budgetKey(jobId)));
      const orphans = open.filter(({ leaseId }) => !leases.has(leaseId));
      if ((await lapseRows(runtime, registry, orphans)).length > 0) continue;
    }
    // What running leases have not folded yet is in the rows and not in `spent`.
    let unfolded = amounts();
    for (const [id, lease] of before.leases)
      unfolded = sumOf(unfolded, lessOf(byLease.get(id) ?? amounts(), lease.folded));
    const difference = lessOf(lessOf(used, unfolded), before.spent);
    if (before.version === 0 || UNITS.every((unit) => difference[unit] === 0)) return totals;
    const remaining: Partial<Amounts> = {};
    for (const unit of UNITS) if (before.cap[unit] !== undefined) remaining[unit] = -difference[unit];
    try {
      await runtime.records.update(
        budgetKey(jobId),
        { add: { ...additions('spent', difference), ...additions('remaining', remaining) } },
        { ifVersion: before.version },
      );
    } catch (error) {
      // A lease was written meanwhile: what was compared is old.
      if (isError(error, 'Conflict')) continue;
      throw error;
    }
    emitMismatch(runtime, jobId, {
      counted: before.spent,
      ledger: lessOf(used, unfolded),
    });
    return totals;
  }
}

/**
 * Writes a job's ledger to `jobs/<jobId>/output/ledger.jsonl`, lease by lease. The rows of one shard are in memory
 * at once; a job of a million calls takes about 60 MB a shard.
 */
export async function exportLedger(
  runtime: { records: Records; artifacts: Artifacts; clock: Clock },
  jobId: string,
): Promise<ArtifactRef> {
  return writeJsonl(
    runtime.artifacts,
    `jobs/${jobId}/output/ledger.jsonl`,
    ledgerRows(runtime.records, jobId),
  );
}
