import { isoTime, type Clock } from '#shared/determinism/clock.ts';
import { allItems } from '#shared/storage/all-items.ts';
import type { Json, RecordItem, Records } from '#shared/storage/ports.ts';
import { budgetExhausted, isError } from '#shared/task/errors.ts';
import { putEach } from '#shared/storage/group-commit.ts';
import { IF_OPEN, ledgerPk, lapsedRow, rowOf, rowRecord, shardOf, usesOf } from '../ledger/row.ts';
import type { LedgerRow, Registry } from '../types.ts';
import {
  additions,
  amounts,
  budgetKey,
  budgetState,
  GRACE_MS,
  LEASE_LISTS,
  LEASE_PREFIX,
  leaseListOf,
  lessOf,
  sumOf,
  TURN_PREFIX,
  UNITS,
  type Amounts,
  type LeaseState,
} from './item.ts';

interface Source {
  records: Records;
  clock: Clock;
}

/** Longer than any job lives: a standing hold ends by its call or when it is dropped, not by time. */
export const FOREVER_MS = 400 * 24 * 3_600_000;

/** Every row of a lease. */
export async function rowsOfLease(records: Records, jobId: string, leaseId: string): Promise<LedgerRow[]> {
  return queryRows(records, ledgerPk(jobId, shardOf(leaseId)), `${leaseId}#`);
}

/** Every row of a partition, or those whose sort key has a prefix. */
export async function queryRows(records: Records, pk: string, prefix?: string): Promise<LedgerRow[]> {
  return (await allItems(records, { pk, ...(prefix ? { sk: { prefix } } : {}) })).map(rowOf);
}

/**
 * Closes the leases of a job that lapsed more than 30 s ago: their open rows settle as `lapsed`, what the rows show as
 * spent is folded, the rest returns. The owner's next write is then refused. Returns how many were closed.
 */
export async function sweepLeases(runtime: Source, registry: Registry, jobId: string): Promise<number> {
  let closed = 0;
  for (;;) {
    const state = budgetState(await runtime.records.get(budgetKey(jobId)));
    const now = runtime.clock.now();
    const lapsed = [...state.leases].find(([, lease]) => lease.until + GRACE_MS < now);
    if (!lapsed) return closed;
    if (await closeLease(runtime, registry, jobId, lapsed[0])) closed++;
  }
}

/**
 * Ends a lease from its ledger rows: open ones settle as `lapsed`, what the rows show as spent is folded, the rest
 * returns. False where there is no such lease. Repeating it is harmless.
 */
export async function closeLease(
  runtime: Source,
  registry: Registry,
  jobId: string,
  id: string,
): Promise<boolean> {
  for (;;) {
    const state = budgetState(await runtime.records.get(budgetKey(jobId)));
    const lease = state.leases.get(id);
    if (!lease) return false;
    // Settled first: one that dies here is repeated, and finds the same rows.
    const used = await settleOpenRows(runtime, registry, jobId, id);
    const fresh = lessOf(used, lease.folded);
    const returned: Partial<Amounts> = {};
    for (const unit of UNITS)
      if (state.cap[unit] !== undefined) returned[unit] = lease.held[unit] - fresh[unit];
    try {
      const item = await runtime.records.update(
        budgetKey(jobId),
        {
          remove: [LEASE_PREFIX + id, TURN_PREFIX + id],
          add: { ...additions('remaining', returned), ...additions('spent', fresh) },
        },
        { ifVersion: state.version },
      );
      await unlistWhenIdle(runtime.records, jobId, item);
      return true;
    } catch (error) {
      // The owner or another sweep wrote in between: look again.
      if (!isError(error, 'Conflict')) throw error;
    }
  }
}

/**
 * Holds money under a lease of no process, such as a batch's at an asynchronous endpoint: until `until`, or until it is
 * closed. Holding again adds, unless `once` names what is held already.
 * @param lease.carried what the lease has left over of an earlier hold and this one uses: added where it is gone.
 * @throws BudgetExhausted where the budget has not enough.
 */
export async function holdLease(
  runtime: Source,
  jobId: string,
  lease: { id: string; more: Amounts; carried?: Amounts; until: number; standing?: true; once?: string },
): Promise<void> {
  for (;;) {
    const state = budgetState(await runtime.records.get(budgetKey(jobId)));
    const before: LeaseState = state.leases.get(lease.id) ?? {
      until: 0,
      held: amounts(),
      // One of this name may have been closed: what its rows show is in `spent` already.
      folded: lease.once === undefined ? amounts() : await usedUnder(runtime.records, jobId, lease.id),
    };
    if (lease.once !== undefined && before.holds?.includes(lease.once)) return;
    const more = state.leases.has(lease.id) ? lease.more : sumOf(lease.more, lease.carried ?? amounts());
    const held = amounts();
    const taken: Partial<Amounts> = {};
    if (state.closed || runtime.clock.now() >= (state.secondsUntil ?? Infinity)) {
      throw budgetExhausted(
        `The budget of ${jobId} is closed: ${state.closed ?? 'its seconds are used up'}.`,
      );
    }
    for (const unit of UNITS) {
      if (state.cap[unit] === undefined) continue;
      if (state.remaining[unit] < more[unit]) {
        throw budgetExhausted(
          `The budget of ${jobId} has ${state.remaining[unit]} ${unit} left; the batch may need ${more[unit]}.`,
        );
      }
      held[unit] = before.held[unit] + more[unit];
      taken[unit] = -more[unit];
    }
    const next: LeaseState = {
      ...before,
      held,
      until: Math.max(before.until, lease.until),
      ...(lease.standing ? { standing: true } : {}),
      ...(lease.once === undefined ? {} : { holds: [...(before.holds ?? []), lease.once] }),
    };
    try {
      await runtime.records.update(
        budgetKey(jobId),
        {
          set: { [LEASE_PREFIX + lease.id]: next as unknown as Json },
          add: additions('remaining', taken),
          g1: { pk: leaseListOf(jobId), sk: jobId },
        },
        state.version === 0 ? { ifAbsent: true } : { ifVersion: state.version },
      );
      return;
    } catch (error) {
      if (!isError(error, 'Conflict')) throw error;
    }
  }
}

/** What the settled rows of a lease have used. */
async function usedUnder(records: Records, jobId: string, leaseId: string): Promise<Amounts> {
  const rows = await rowsOfLease(records, jobId, leaseId);
  return rows
    .filter(({ state }) => state === 'settled')
    .reduce((sum, row) => sumOf(sum, usesOf(row)), amounts());
}

async function settleOpenRows(
  runtime: Source,
  registry: Registry,
  jobId: string,
  id: string,
): Promise<Amounts> {
  let used = amounts();
  const open: LedgerRow[] = [];
  for (const row of await rowsOfLease(runtime.records, jobId, id)) {
    if (row.state === 'open') open.push(row);
    else used = sumOf(used, usesOf(row));
  }
  for (const row of await lapseRows(runtime, registry, open)) used = sumOf(used, usesOf(row));
  return used;
}

/**
 * Settles open rows whose owner is gone as `lapsed`. One that its owner settled meanwhile stays.
 * @returns the rows as they stand.
 */
export async function lapseRows(
  runtime: Source,
  registry: Registry,
  open: readonly LedgerRow[],
): Promise<LedgerRow[]> {
  const endedAt = isoTime(runtime.clock.now());
  const stand: LedgerRow[] = [];
  for (let at = 0; at < open.length; at += 25) {
    const rows = open
      .slice(at, at + 25)
      .map((row) => lapsedRow(row, registry.models.get(row.model)?.billing ?? 'token', endedAt));
    const puts = rows.map((row) => ({ item: rowRecord(row, '0'), options: IF_OPEN }));
    for (const [index, outcome] of (await putEach(runtime.records, puts)).entries()) {
      if (outcome.status === 'fulfilled') stand.push(rows[index]!);
      else if (isError(outcome.reason, 'Conflict') && outcome.reason.data.current)
        stand.push(rowOf(outcome.reason.data.current as RecordItem));
      else throw outcome.reason;
    }
  }
  return stand;
}

/** Takes a job without leases off the sweep's list. */
export async function unlistWhenIdle(records: Records, jobId: string, item: RecordItem): Promise<void> {
  if (budgetState(item).leases.size > 0 || item.g1?.pk !== leaseListOf(jobId)) return;
  try {
    await records.update(
      budgetKey(jobId),
      { g1: { pk: `IDLE#${jobId}`, sk: '-' } },
      { ifVersion: item.version },
    );
  } catch (error) {
    // A new lease was opened meanwhile: it stays listed.
    if (!isError(error, 'Conflict')) throw error;
  }
}

/** The jobs with open leases, for the sweep that runs every minute. */
export async function jobsWithLeases(records: Records): Promise<string[]> {
  const jobs: string[] = [];
  for (const pk of LEASE_LISTS) {
    const listed = await allItems(records, { index: 'g1', pk });
    jobs.push(...listed.map((item) => item.pk.slice('BUDGET#'.length)));
  }
  return jobs;
}
