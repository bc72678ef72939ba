import type { Budget } from '#shared/task/jobs.ts';
import { isError } from '#shared/task/errors.ts';
import type { Clock } from '#shared/determinism/clock.ts';
import type { Json, Records } from '#shared/storage/ports.ts';
import { totalsOf } from '../ledger.ts';
import { additions, amounts, budgetKey, budgetState, LEASE_PREFIX, UNITS, type Amounts } from './item.ts';
import { FOREVER_MS, holdLease } from './sweep.ts';

/** A job that starts another lends it what is left of its own budget, so that both together stay within one cap. */

interface Source {
  records: Records;
  clock: Clock;
}

const loanId = (borrower: string): string => `loan-${borrower}`;

/**
 * Holds all that is left of a job's budget for another job. Repeating it gives the same.
 * @returns the other job's caps; undefined where the lender has none.
 */
export async function lendBudget(
  runtime: Source,
  lender: string,
  borrower: string,
): Promise<Budget | undefined> {
  const state = budgetState(await runtime.records.get(budgetKey(lender)));
  const seconds =
    state.secondsUntil === undefined
      ? undefined
      : Math.max(0, Math.floor((state.secondsUntil - runtime.clock.now()) / 1000));
  const limited = UNITS.filter((unit) => state.cap[unit] !== undefined);
  let lent = state.leases.get(loanId(borrower))?.held;
  if (!lent && limited.length > 0) {
    const more = amounts();
    for (const unit of limited) more[unit] = Math.max(0, state.remaining[unit]);
    const until = runtime.clock.now() + FOREVER_MS;
    await holdLease(runtime, lender, { id: loanId(borrower), more, until, standing: true });
    lent = more;
  }
  if (!lent && seconds === undefined) return undefined;
  const cap = (unit: keyof Amounts): number | undefined =>
    lent && state.cap[unit] !== undefined ? lent[unit] : undefined;
  const [microUsd, tokens, calls] = [cap('micros'), cap('tokens'), cap('calls')];
  return {
    ...(microUsd === undefined ? {} : { microUsd }),
    ...(tokens === undefined ? {} : { tokens }),
    ...(calls === undefined ? {} : { calls }),
    ...(seconds === undefined ? {} : { seconds }),
  };
}

/**
 * Gives back what an ended borrower has not spent; what its ledger shows stays held, so that the lender cannot spend it
 * again. Harmless where nothing was lent, and repeated.
 */
export async function settleLoan(runtime: Source, lender: string, borrower: string): Promise<void> {
  const totals = await totalsOf(runtime, borrower);
  const used = amounts(totals.microUsd, totals.tokensIn + totals.tokensOut, totals.calls);
  for (;;) {
    const state = budgetState(await runtime.records.get(budgetKey(lender)));
    const lease = state.leases.get(loanId(borrower));
    if (!lease) return;
    const kept = amounts();
    const returned: Partial<Amounts> = {};
    for (const unit of UNITS) {
      kept[unit] = Math.min(lease.held[unit], used[unit]);
      returned[unit] = lease.held[unit] - kept[unit];
    }
    if (UNITS.every((unit) => !returned[unit])) return;
    try {
      await runtime.records.update(
        budgetKey(lender),
        {
          set: { [LEASE_PREFIX + loanId(borrower)]: { ...lease, held: kept } as unknown as Json },
          add: additions('remaining', returned),
        },
        { ifVersion: state.version },
      );
      return;
    } catch (error) {
      // Somebody else wrote in between: look again.
      if (!isError(error, 'Conflict')) throw error;
    }
  }
}
