import type { Runtime } from '#shared/task/runtime.ts';
import { budgetExhausted } from '#shared/task/errors.ts';
import { onAbort } from '../limits/on-abort.ts';
import { logError } from '../observability/log.ts';
import type { Registry } from '../types.ts';
import {
  amounts,
  GRACE_MS,
  heldBy,
  lessOf,
  standingBy,
  UNITS,
  type Amounts,
  type BudgetState,
  type Unit,
} from './item.ts';
import { Lease } from './lease.ts';
import { sweepLeases } from './sweep.ts';

/** How often a lease is looked after, and how soon an idle one is given back. */
const TICK_MS = 1000;
/** How often a refused reservation asks again while other processes hold money. */
const POLL_MS = 1000;

export interface ReserveOptions {
  /** Attempts this process may have on their way: how large a block is worth taking. */
  concurrency: number;
  registry: Registry;
  signal?: AbortSignal;
  /** A standing hold that was kept for this very call. */
  hold?: string;
}

/** A reservation inside a lease. */
export interface Reservation {
  readonly lease: Lease;
  readonly need: Amounts;
}

interface Waiter {
  need: Amounts;
  options: ReserveOptions;
  resolve(reservation: Reservation): void;
  reject(error: unknown): void;
}

/**
 * A process's access to one job's budget. Reservations are served in order of arrival from the lease; when its slack
 * does not suffice a block is taken from the budget item, and when that is refused the exact shortfall, and then the
 * caller waits for running calls to settle.
 */
export class Purse {
  readonly #runtime: Runtime;
  readonly #jobId: string;
  #lease: Lease;
  readonly #waiting: Waiter[] = [];
  #pumping = false;
  #wake: (() => void) | undefined;
  #beating: AbortController | undefined;
  #used = 0;

  constructor(runtime: Runtime, jobId: string) {
    this.#runtime = runtime;
    this.#jobId = jobId;
    this.#lease = new Lease(runtime, jobId);
  }

  /** Milliseconds since the epoch after which the job's `seconds` are used up, where it has that cap. */
  get secondsUntil(): number | undefined {
    return this.#lease.budget.secondsUntil;
  }

  /**
   * Whether an attempt could be paid for when everything that is reserved came back unused: what a route asks before
   * it chooses a model.
   */
  async affords(need: Amounts): Promise<boolean> {
    const budget = this.#lease.budget.version === 0 ? await this.#lease.refresh() : this.#lease.budget;
    const here = this.#lease.spentHere();
    return UNITS.every((unit) => {
      const cap = budget.cap[unit];
      return cap === undefined || cap - budget.spent[unit] - here[unit] >= need[unit];
    });
  }

  /**
   * Gives a lease up whose ledger rows cannot be written: nobody renews it, so that it lapses and the sweep settles
   * what is open.
   */
  abandon({ lease }: Reservation): void {
    lease.abandon();
    this.#notify();
  }

  get idle(): boolean {
    return this.#lease.flying.calls === 0 && this.#waiting.length === 0;
  }

  /** What of a unit is left, for metrics: undefined where there is no cap. */
  remaining(unit: Unit): number | undefined {
    return this.#lease.budget.cap[unit] === undefined ? undefined : this.#lease.budget.remaining[unit];
  }

  /**
   * Reserves the worst case of one attempt.
   * @throws BudgetExhausted when nothing is reserved by anyone, or what is left can never suffice.
   * @throws StorageUnavailable when the process lost its lease.
   */
  async reserve(need: Amounts, options: ReserveOptions): Promise<Reservation> {
    this.#used++;
    const ready = this.#waiting.length === 0 && options.hold === undefined;
    if (ready && this.#lease.fits(need) && this.#open(this.#lease.budget)) {
      this.#lease.take(need);
      return { lease: this.#lease, need };
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        need,
        options,
        resolve(reservation) {
          stop();
          resolve(reservation);
        },
        reject(error) {
          stop();
          reject(error);
        },
      };
      const stop = onAbort(options.signal, (reason) => {
        const at = this.#waiting.indexOf(waiter);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(reason);
        this.#notify();
      });
      this.#waiting.push(waiter);
      void this.#pump();
    });
  }

  /** Charges `used` for a reservation whose ledger row is durable, and frees the rest. */
  settle({ lease, need }: Reservation, used: Amounts): void {
    lease.settle(need, used);
    this.#used++;
    const over = UNITS.find((unit) => used[unit] > need[unit] && lease.budget.cap[unit] !== undefined);
    if (over) {
      // Somebody must look: an endpoint that ignores its limits, or a bound that is none.
      logError(this.#runtime, 'A call used more than could be reserved for it: the budget is closed.', {
        jobId: this.#jobId,
        unit: over,
        used: used[over],
        reserved: need[over],
      });
      lease
        .closeBudget(`A call used ${used[over]} ${over} where at most ${need[over]} were reserved.`)
        .catch(() => undefined);
    }
    this.#notify();
  }

  /** Folds what is spent and gives everything else back; waiting callers and running calls keep the lease alive. */
  async release(): Promise<void> {
    const lease = this.#lease;
    if (lease.flying.calls > 0 || this.#waiting.length > 0) {
      await lease.renew();
      return;
    }
    this.#beating?.abort();
    this.#beating = undefined;
    this.#lease = new Lease(this.#runtime, this.#jobId);
    await lease.close();
  }

  #open(budget: BudgetState): boolean {
    return budget.closed === undefined && this.#runtime.clock.now() < (budget.secondsUntil ?? Infinity);
  }

  #notify(): void {
    this.#wake?.();
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#waiting.length > 0) {
        const [head] = this.#waiting;
        try {
          const reservation = await this.#serve(head!);
          if (!reservation) continue;
          if (this.#waiting[0] === head) {
            this.#waiting.shift();
            head!.resolve(reservation);
          } else {
            // Cancelled meanwhile.
            reservation.lease.settle(reservation.need, amounts());
          }
        } catch (error) {
          const at = this.#waiting.indexOf(head!);
          if (at >= 0) this.#waiting.splice(at, 1);
          head!.reject(error);
        }
      }
    } finally {
      this.#pumping = false;
    }
  }

  /** One step for the first in the queue: a reservation, or nothing when it has to be looked at again. */
  async #serve(waiter: Waiter): Promise<Reservation | undefined> {
    const { need, options } = waiter;
    if (!this.#lease.usable) this.#lease = new Lease(this.#runtime, this.#jobId);
    const lease = this.#lease;
    if (options.hold !== undefined) {
      const adopted = await lease.adopt(options.hold, need);
      if (adopted) {
        lease.take(need);
        this.#beat();
        return { lease, need };
      }
      // It is gone, or too small for what is left: as any other call.
      const { hold: _hold, ...rest } = options;
      waiter.options = rest;
      return undefined;
    }
    if (lease.fits(need)) {
      if (!this.#open(lease.budget)) {
        // It may have been raised since.
        const budget = await lease.refresh();
        if (!this.#open(budget)) throw exhausted(this.#jobId, budget.closed ?? 'its seconds are used up');
      }
      if (lease.fits(need)) {
        lease.take(need);
        return { lease, need };
      }
      return undefined;
    }
    if (await this.#ask(lease, need, options)) {
      this.#beat();
      return undefined;
    }
    await this.#refused(lease, need, options);
    return undefined;
  }

  /** A block when there is plenty, else exactly what is missing. */
  async #ask(lease: Lease, need: Amounts, options: ReserveOptions): Promise<boolean> {
    const budget = lease.budget.version === 0 ? await lease.refresh() : lease.budget;
    const missing = lease.shortfall(need);
    const block = amounts();
    for (const unit of UNITS) {
      if (missing[unit] === 0) continue;
      const fair = Math.max(need[unit], Math.floor(budget.remaining[unit] / 8));
      block[unit] = Math.max(missing[unit], Math.min(2 * options.concurrency * need[unit], fair));
    }
    // What was read a moment ago spares writes that would be refused.
    const there = (amount: Amounts): boolean =>
      UNITS.every((unit) => budget.remaining[unit] >= amount[unit] || amount[unit] === 0);
    if (there(block) && (await lease.grant(block))) return true;
    const rest = lease.shortfall(need);
    return UNITS.some((unit) => block[unit] > rest[unit]) && there(rest) && (await lease.grant(rest));
  }

  /** Waits for money to come free. @throws BudgetExhausted when none will. */
  async #refused(lease: Lease, need: Amounts, { registry, signal }: ReserveOptions): Promise<void> {
    const { clock } = this.#runtime;
    const budget = await lease.refresh();
    if ([...budget.leases.values()].some(({ until }) => until + GRACE_MS < clock.now())) {
      await sweepLeases(this.#runtime, registry, this.#jobId);
      await lease.refresh();
      return;
    }
    // Standing holds wait for calls of their own.
    const standing = standingBy(budget);
    const others = lessOf(heldBy(budget, lease.id), standing);
    const here = lease.spentHere();
    for (const unit of UNITS) {
      const cap = budget.cap[unit];
      if (cap === undefined) continue;
      const left = cap - budget.spent[unit] - here[unit] - standing[unit];
      if (left < need[unit])
        throw exhausted(this.#jobId, `${left} of ${cap} ${unit} are left, a call may need ${need[unit]}`);
      const reserved = others[unit] + lease.flying[unit];
      if (reserved <= 0 && lease.shortfall(need)[unit] > budget.remaining[unit]) {
        throw exhausted(this.#jobId, `${left} of ${cap} ${unit} are left, a call may need ${need[unit]}`);
      }
    }
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    try {
      await clock.sleep(POLL_MS, signal ? AbortSignal.any([signal, woken.signal]) : woken.signal);
    } catch {
      // A call settled, or the caller gave up: looked at again either way.
    } finally {
      this.#wake = undefined;
    }
    await lease.refresh();
  }

  /** Renews the lease while calls run, and gives it back when the process has stopped calling. */
  #beat(): void {
    if (this.#beating) return;
    const stop = new AbortController();
    this.#beating = stop;
    void this.#heartbeat(stop.signal).catch(() => undefined);
  }

  async #heartbeat(signal: AbortSignal): Promise<void> {
    let seen = -1;
    for (;;) {
      try {
        await this.#runtime.clock.sleep(TICK_MS, signal);
      } catch {
        return;
      }
      if (!this.#lease.usable) break;
      const idle = this.#lease.flying.calls === 0 && this.#waiting.length === 0;
      if (idle && seen === this.#used) {
        this.#beating = undefined;
        await this.release();
        return;
      }
      seen = this.#used;
      // A refused renewal is tried again: the lease outlasts two of them.
      if (this.#lease.due()) await this.#lease.renew().catch(() => undefined);
    }
    this.#beating = undefined;
  }
}

const exhausted = (jobId: string, why: string): Error =>
  budgetExhausted(`The budget of ${jobId} is exhausted: ${why}. Raise it and resume the job.`);
