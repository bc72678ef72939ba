import type { Clock } from '#shared/determinism/clock.ts';
import type { Json, Records } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import type { Budget } from '#shared/task/jobs.ts';
import {
  attribute,
  budgetKey,
  budgetState,
  UNITS,
  type Amounts,
  type BudgetState,
  type Unit,
} from './budget/item.ts';

export { sweepLeases, jobsWithLeases } from './budget/sweep.ts';

interface Source {
  records: Records;
  clock: Clock;
}

/** Where a Budget names each unit. */
const FIELD: Record<Unit, 'microUsd' | 'tokens' | 'calls'> = {
  micros: 'microUsd',
  tokens: 'tokens',
  calls: 'calls',
};

/**
 * Opens a job's budget: caps in micro-dollars, tokens, attempts and seconds of running time from now; a unit without a
 * cap is not limited. Repeating it is harmless; where the job has a budget already, larger caps raise it.
 */
export async function openBudget(runtime: Source, jobId: string, caps: Budget): Promise<void> {
  const now = runtime.clock.now();
  const attributes: Record<string, Json> = { openedAt: now };
  for (const unit of UNITS) {
    const cap = caps[FIELD[unit]];
    attributes[attribute('spent', unit)] = 0;
    if (cap === undefined) continue;
    attributes[attribute('cap', unit)] = Math.floor(cap);
    attributes[attribute('remaining', unit)] = Math.floor(cap);
  }
  if (caps.seconds !== undefined) {
    attributes.capSeconds = caps.seconds;
    attributes.secondsUntil = now + caps.seconds * 1000;
  }
  try {
    await runtime.records.put({ ...budgetKey(jobId), attributes }, { ifAbsent: true });
  } catch (error) {
    if (!isError(error, 'Conflict')) throw error;
    await raiseBudget(runtime, jobId, caps);
  }
}

/**
 * Raises a job's caps to the given totals: the difference is added to `cap` and `remaining`. Smaller caps and units
 * without a cap stay as they are. A raise reopens a budget that closed itself, and gives `seconds` that had run out
 * again from now.
 */
export async function raiseBudget(runtime: Source, jobId: string, caps: Budget): Promise<void> {
  for (;;) {
    const state = budgetState(await runtime.records.get(budgetKey(jobId)));
    const add: Record<string, number> = {};
    const set: Record<string, Json> = {};
    for (const unit of UNITS) {
      const more = Math.floor(caps[FIELD[unit]] ?? 0) - (state.cap[unit] ?? Infinity);
      if (!(more > 0)) continue;
      add[attribute('cap', unit)] = more;
      add[attribute('remaining', unit)] = more;
    }
    const moreSeconds = (caps.seconds ?? 0) - (state.capSeconds ?? Infinity);
    if (moreSeconds > 0) {
      const from = Math.max(state.secondsUntil ?? 0, runtime.clock.now());
      set.capSeconds = caps.seconds!;
      set.secondsUntil = from + moreSeconds * 1000;
    }
    if (Object.keys(add).length + Object.keys(set).length === 0) return;
    try {
      await runtime.records.update(
        budgetKey(jobId),
        { add, set, remove: ['closed'] },
        { ifVersion: state.version },
      );
      return;
    } catch (error) {
      // Somebody else wrote in between: look again.
      if (!isError(error, 'Conflict')) throw error;
    }
  }
}

/** What a budget shows to people: caps, what is left, held by running calls, and spent. */
export interface BudgetReport {
  cap: Partial<Amounts> & { seconds?: number };
  remaining: Amounts;
  spent: Amounts;
  leases: number;
  closed?: string;
}

/** Reads a job's budget, cheap and up to 40 s behind the ledger. */
export async function budgetOf(runtime: Source, jobId: string): Promise<BudgetReport> {
  const state: BudgetState = budgetState(await runtime.records.get(budgetKey(jobId)));
  return {
    cap: { ...state.cap, ...(state.capSeconds === undefined ? {} : { seconds: state.capSeconds }) },
    remaining: state.remaining,
    spent: state.spent,
    leases: state.leases.size,
    ...(state.closed === undefined ? {} : { closed: state.closed }),
  };
}
