import type { Clock } from '#shared/determinism/clock.ts';
import type { Ids } from '#shared/determinism/ids.ts';
import type { Condition, Json, RecordItem, Records } from '#shared/storage/ports.ts';
import { isError, storageUnavailable } from '#shared/task/errors.ts';
import {
  additions,
  amounts,
  attribute,
  budgetKey,
  budgetState,
  LEASE_MS,
  LEASE_PREFIX,
  leaseListOf,
  lessOf,
  RENEW_MS,
  sumOf,
  TURN_PREFIX,
  UNITS,
  type Amounts,
  type BudgetState,
  type LeaseState,
} from './item.ts';
import { unlistWhenIdle } from './sweep.ts';

interface Source {
  records: Records;
  clock: Clock;
  ids: Ids;
}

/**
 * A process's part of a job's budget: money it has taken from `remaining`, spends in memory and folds back. It is the
 * only writer of its attribute `lease#<id>`, apart from the sweep that closes it when it lapses.
 */
export class Lease {
  readonly id: string;
  readonly jobId: string;
  readonly #runtime: Source;
  /** As recorded. */
  #held: Amounts = amounts();
  #folded: Amounts = amounts();
  /** How many writes the lease has seen: each names the one before, so that none is applied twice. */
  #turn = 0;
  #until = 0;
  #renewed = 0;
  /** Reserved by attempts on their way. */
  #flying: Amounts = amounts();
  /** Spent by settled attempts whose rows are durable, not folded yet. */
  #settled: Amounts = amounts();
  #state: 'new' | 'open' | 'lost' | 'closed' = 'new';
  #budget: BudgetState = budgetState(undefined);
  /** Writes to the item, one after the other. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(runtime: Source, jobId: string) {
    this.#runtime = runtime;
    this.jobId = jobId;
    this.id = runtime.ids.hex(64);
  }

  /** The budget as this process last saw it. */
  get budget(): BudgetState {
    return this.#budget;
  }

  get usable(): boolean {
    return this.#state === 'new' || this.#state === 'open';
  }

  get flying(): Amounts {
    return this.#flying;
  }

  /** What this process knows to be spent, folded or not. */
  spentHere(): Amounts {
    return this.#settled;
  }

  #slack(): Amounts {
    return lessOf(lessOf(this.#held, this.#flying), this.#settled);
  }

  /** How much of each capped unit is missing for a reservation; zero where it fits. */
  shortfall(need: Amounts): Amounts {
    const slack = this.#slack();
    const missing = amounts();
    for (const unit of UNITS) {
      if (this.#budget.cap[unit] !== undefined) missing[unit] = Math.max(0, need[unit] - slack[unit]);
    }
    return missing;
  }

  fits(need: Amounts): boolean {
    if (this.#state !== 'open') return false;
    const missing = this.shortfall(need);
    return missing.micros === 0 && missing.tokens === 0 && missing.calls === 0;
  }

  /** Reserves within the lease; only after `fits`. */
  take(need: Amounts): void {
    this.#flying = sumOf(this.#flying, need);
  }

  /** Ends a reservation: `used` is charged, the rest is free again. */
  settle(need: Amounts, used: Amounts): void {
    this.#flying = lessOf(this.#flying, need);
    this.#settled = sumOf(this.#settled, used);
  }

  /** Reads the item without changing it. */
  async refresh(): Promise<BudgetState> {
    this.#budget = budgetState(await this.#runtime.records.get(budgetKey(this.jobId)));
    if (this.#state === 'open' && !this.#budget.leases.has(this.id)) this.#state = 'lost';
    return this.#budget;
  }

  /**
   * Takes more from `remaining`, opening the lease when it is new, in one conditional write.
   * @returns whether there was enough.
   * @throws StorageUnavailable when the lease has lapsed and was swept.
   */
  grant(more: Amounts): Promise<boolean> {
    return this.#serially(async () => {
      try {
        await this.#write({ granted: more });
        return true;
      } catch (error) {
        if (isError(error, 'Conflict') && this.usable) return false;
        throw error;
      }
    });
  }

  /**
   * Takes a reservation's need out of a standing hold, which ends: what it has too much returns to `remaining`, what it
   * lacks is taken from there.
   * @returns whether the hold was there and there was enough.
   */
  adopt(holdId: string, need: Amounts): Promise<boolean> {
    return this.#serially(async () => {
      const hold = (await this.refresh()).leases.get(holdId);
      if (!hold || !this.usable) return false;
      try {
        await this.#write({ granted: need, from: { id: holdId, held: hold.held } });
        return true;
      } catch (error) {
        if (isError(error, 'Conflict') && this.usable) return false;
        throw error;
      }
    });
  }

  /** Whether the lease should be renewed now. */
  due(): boolean {
    return this.#state === 'open' && this.#runtime.clock.now() - this.#renewed >= RENEW_MS;
  }

  /** Folds spending, returns slack and prolongs the lease. @throws StorageUnavailable when it was swept. */
  renew(): Promise<void> {
    return this.#serially(async () => {
      if (this.#state === 'open') await this.#write({ giveBack: true });
    });
  }

  /** Fails when the sweep may have taken the lease: what its owner writes then would come too late. */
  async assertHeld(): Promise<void> {
    if (this.#state === 'open' && this.#runtime.clock.now() >= this.#until) await this.renew();
    if (this.#state === 'lost') throw lost(this.jobId);
  }

  /** Folds spending, returns everything else and ends the lease. Only when nothing is on its way. */
  close(): Promise<void> {
    return this.#serially(async () => {
      if (this.#state === 'new') this.#state = 'closed';
      if (this.#state !== 'open') return;
      const item = await this.#write({ giveBack: true, end: true });
      this.#state = 'closed';
      await unlistWhenIdle(this.#runtime.records, this.jobId, item);
    });
  }

  /** A row of it was found settled by the sweep. @throws StorageUnavailable always. */
  lose(): never {
    this.#state = 'lost';
    throw lost(this.jobId);
  }

  /** Its owner stops: the lease lapses in time. */
  abandon(): void {
    this.#state = 'lost';
  }

  /** Closes the budget for everyone: an attempt used more than could be reserved for it. */
  closeBudget(reason: string): Promise<void> {
    return this.#serially(async () => {
      const item = await this.#runtime.records.update(budgetKey(this.jobId), { set: { closed: reason } });
      this.#budget = budgetState(item);
    });
  }

  #serially<T>(body: () => Promise<T>): Promise<T> {
    const result = this.#writing.then(body);
    this.#writing = result.catch(() => undefined);
    return result;
  }

  async #write(change: {
    granted?: Amounts;
    /** A standing hold that pays for what is granted. */
    from?: { id: string; held: Amounts };
    giveBack?: boolean;
    end?: boolean;
  }): Promise<RecordItem> {
    const { clock, records } = this.#runtime;
    const opening = this.#state === 'new';
    if (opening) this.#budget = budgetState(await records.get(budgetKey(this.jobId)));
    const granted = change.granted ?? amounts();
    const paid = change.from?.held ?? amounts();
    const folding = this.#settled;
    const held = amounts();
    const remaining: Partial<Amounts> = {};
    const turn = TURN_PREFIX + this.id;
    const conditions: Condition[] = [
      opening ? { attribute: turn, exists: false } : { attribute: turn, op: '=', value: this.#turn },
    ];
    const before = this.#held;
    const during = amounts();
    for (const unit of UNITS) {
      if (this.#budget.cap[unit] === undefined) continue;
      const left = this.#held[unit] - folding[unit];
      // Keeping what flies; a negative rest is an overspend, which `remaining` bears.
      const kept = change.giveBack || left < 0 ? Math.min(Math.max(left, 0), this.#flying[unit]) : left;
      held[unit] = kept + granted[unit];
      remaining[unit] = left - kept - granted[unit] + paid[unit];
      during[unit] = kept + folding[unit];
      if (granted[unit] > paid[unit]) {
        const lacking = granted[unit] - paid[unit];
        conditions.push({ attribute: attribute('remaining', unit), op: '>=', value: lacking });
      }
    }
    if (change.from) conditions.push({ attribute: LEASE_PREFIX + change.from.id, exists: true });
    const state: LeaseState = {
      until: clock.now() + LEASE_MS,
      held,
      folded: sumOf(this.#folded, folding),
    };
    const name = LEASE_PREFIX + this.id;
    // Reservations made while the write is on its way must not use what it gives back.
    this.#held = during;
    let item: RecordItem;
    try {
      item = await records.update(
        budgetKey(this.jobId),
        {
          ...(change.end
            ? { remove: [name, turn] }
            : { set: { [name]: state as unknown as Json, [turn]: this.#turn + 1 } }),
          ...(change.from ? { remove: [LEASE_PREFIX + change.from.id] } : {}),
          add: { ...additions('remaining', remaining), ...additions('spent', folding) },
          ...(opening ? { g1: { pk: leaseListOf(this.jobId), sk: this.jobId } } : {}),
        },
        { condition: { all: conditions } },
      );
    } catch (error) {
      const current = isError(error, 'Conflict') ? (error.data.current as RecordItem | null) : undefined;
      // A transport that repeated the write finds its own first one: it was done.
      if (current && current.attributes[turn] === this.#turn + 1) item = current;
      else {
        this.#held = before;
        if (current !== undefined) {
          this.#budget = budgetState(current);
          if (!opening && !this.#budget.leases.has(this.id)) {
            this.#state = 'lost';
            throw lost(this.jobId);
          }
        }
        throw error;
      }
    }
    this.#turn++;
    this.#state = 'open';
    this.#budget = budgetState(item);
    this.#held = held;
    this.#folded = state.folded;
    this.#settled = lessOf(this.#settled, folding);
    this.#until = state.until;
    this.#renewed = clock.now();
    return item;
  }
}

/** Retried by the state machine: a fresh attempt of the task has a fresh lease. */
const lost = (jobId: string): Error =>
  storageUnavailable(
    `This process held a part of the budget of ${jobId} that lapsed and was settled without it; its calls are charged as lapsed.`,
  );
