import type { Clock } from '#shared/determinism/clock.ts';
import type { RecordItem, Records } from '#shared/storage/ports.ts';
import { deadlineExceeded, isError } from '#shared/task/errors.ts';
import { onAbort } from './on-abort.ts';

/** How far units may begin before their time: the burst an endpoint takes. */
const BURST_MS = 2000;
/** Units taken ahead and not used by then are dropped. */
const LEFTOVER_MS = 2000;
const MINUTE_MS = 60_000;

interface Waiting {
  units: number;
  deadline: number;
  signal: AbortSignal | undefined;
  go(): void;
  refuse(error: unknown): void;
}

/**
 * A rate shared by every process through one number in the records, the theoretical arrival time `tat` of the generic
 * cell rate algorithm (model-inference section 9). A take moves `tat` by n*T with T = 60,000/limit; its unit i begins
 * at start + i*T - 2 s, where start = max(tat, now). Service is in order of arrival, without a refill timer, and the
 * grants of any window W are at most limit*(W + 2b)/60,000 + 1.
 */
export class RateBucket {
  readonly #records: Records;
  readonly #clock: Clock;
  readonly #key: { pk: string; sk: string };
  #limit: number;
  #known: { tat: number; absent: boolean } | undefined;
  readonly #waiting: Waiting[] = [];
  #serving = false;
  /** Corrections not in `tat` yet. */
  #owed = 0;
  /** Units taken and not used: unit i begins at from + i*T - 2 s. */
  #left: { from: number; count: number; taken: number } = { from: 0, count: 0, taken: 0 };
  /** Use in the current and the last second, which bounds how far ahead a process takes. */
  #second = { at: 0, used: 0, last: 0 };

  constructor(
    context: { records: Records; clock: Clock },
    model: string,
    kind: 'rpm' | 'tpm',
    limit: number,
  ) {
    this.#records = context.records;
    this.#clock = context.clock;
    this.#key = { pk: `LIMIT#${model}#${kind}`, sk: 'TAT' };
    this.#limit = limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
  }

  /**
   * Waits until `units` may be used.
   * @throws DeadlineExceeded when they would begin after the deadline; the signal's reason when it aborts.
   */
  take(units: number, deadline: number, signal?: AbortSignal): Promise<void> {
    if (this.#waiting.length === 0 && this.#fromLeft(units)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        units,
        deadline,
        signal,
        go() {
          stop();
          resolve();
        },
        refuse(error) {
          stop();
          reject(error);
        },
      };
      const stop = onAbort(signal, (reason) => {
        this.#drop(waiting);
        reject(reason);
      });
      this.#waiting.push(waiting);
      void this.#serve();
    });
  }

  /** Says that a call used more (positive) or less than it took: the next take moves `tat` by it too. */
  correct(units: number): void {
    this.#owed += units;
  }

  /** Moves `tat` by what `correct` was told, for processes that may not take again. */
  async settle(): Promise<void> {
    while (this.#owed !== 0) {
      const { tat, absent } = await this.#current();
      const owed = this.#owed;
      const now = this.#clock.now();
      // Units of the past are worth nothing: they came back with time.
      if (owed > 0 || tat > now) {
        const to = Math.max(tat, now) + this.#ms(owed);
        if (!(await this.#swap(tat, absent, Math.max(to, now)))) continue;
      }
      this.#owed -= owed;
    }
  }

  /** Nothing begins before `time`: a server said so. */
  async pauseUntil(time: number): Promise<void> {
    this.#left.count = 0;
    for (;;) {
      const { tat, absent } = await this.#current();
      if (tat - BURST_MS >= time || (await this.#swap(tat, absent, time + BURST_MS))) return;
    }
  }

  #ms(units: number): number {
    return (units * MINUTE_MS) / this.#limit;
  }

  /** Uses units taken before, where they have begun. */
  #fromLeft(units: number): boolean {
    const now = this.#clock.now();
    const left = this.#left;
    if (left.count < units) return false;
    const begins = left.from - BURST_MS;
    if (now - Math.max(begins, left.taken) > LEFTOVER_MS) {
      left.count = 0;
      return false;
    }
    if (begins > now) return false;
    left.count -= units;
    left.from += this.#ms(units);
    this.#count(units);
    return true;
  }

  #count(units: number): void {
    const at = Math.floor(this.#clock.now() / 1000);
    if (at !== this.#second.at) {
      this.#second = { at, used: 0, last: at === this.#second.at + 1 ? this.#second.used : 0 };
    }
    this.#second.used += units;
  }

  async #serve(): Promise<void> {
    if (this.#serving) return;
    this.#serving = true;
    try {
      while (this.#waiting.length > 0) {
        const head = this.#waiting[0]!;
        try {
          if (!this.#fromLeft(head.units)) {
            await this.#advance(head);
            continue;
          }
          this.#drop(head);
          head.go();
        } catch (error) {
          this.#drop(head);
          head.refuse(error);
        }
      }
    } finally {
      this.#serving = false;
    }
  }

  #drop(waiting: Waiting): void {
    const at = this.#waiting.indexOf(waiting);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** Takes the units for the first in the queue, or waits until the ones it has begin. */
  async #advance(head: Waiting): Promise<void> {
    const now = this.#clock.now();
    if (this.#left.count < head.units) {
      const ahead = Math.max(1, Math.min(Math.max(this.#second.last, this.#second.used), this.#limit / 120));
      const units = Math.max(head.units, Math.floor(ahead)) - this.#left.count;
      const start = await this.#move(units, head.deadline);
      // Older units join the later ones: never early, and none is lost.
      this.#left = { from: start, count: this.#left.count + units, taken: this.#clock.now() };
      return;
    }
    const begins = this.#left.from - BURST_MS;
    if (begins > now) await this.#clock.sleep(begins - now, head.signal);
  }

  /** Compare-and-set of `tat`; returns the start of the units. @throws DeadlineExceeded without taking. */
  async #move(units: number, deadline: number): Promise<number> {
    for (;;) {
      const { tat, absent } = await this.#current();
      const start = Math.max(tat, this.#clock.now());
      if (start - BURST_MS > deadline) {
        throw deadlineExceeded(
          'The rate limit of the model leaves no time for this call before the deadline.',
        );
      }
      const owed = this.#owed;
      if (await this.#swap(tat, absent, start + this.#ms(Math.max(0, units + owed)))) {
        this.#owed -= Math.max(owed, -units);
        return start;
      }
    }
  }

  async #current(): Promise<{ tat: number; absent: boolean }> {
    if (!this.#known) this.#remember(await this.#records.get(this.#key));
    return this.#known!;
  }

  #remember(item: RecordItem | null | undefined): void {
    const tat = item?.attributes.tat;
    this.#known = { tat: typeof tat === 'number' ? tat : 0, absent: typeof tat !== 'number' };
  }

  async #swap(from: number, absent: boolean, to: number): Promise<boolean> {
    try {
      const item = await this.#records.update(
        this.#key,
        { set: { tat: to } },
        {
          condition: absent
            ? { attribute: 'tat', exists: false }
            : { attribute: 'tat', op: '=', value: from },
        },
      );
      this.#remember(item);
      return true;
    } catch (error) {
      if (!isError(error, 'Conflict')) throw error;
      this.#remember(error.data.current as RecordItem | null);
      return false;
    }
  }
}
