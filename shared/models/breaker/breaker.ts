import type { Clock } from '#shared/determinism/clock.ts';
import type { Json, RecordItem, Records } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import type { InferErrorCode } from '../types.ts';
import { AttemptWindow } from './window.ts';

const FIRST_OPEN_MS = 15_000;
const LONGEST_OPEN_MS = 120_000;
const QUOTA_OPEN_MS = 600_000;
const STALE_MS = 1000;
/** Successes of probes in a row that close it. */
const PROBES = 3;
/** A probe whose owner vanished is free again after this long. */
const PROBE_MS = 75_000;

interface State {
  state: 'closed' | 'open' | 'half-open';
  /** Milliseconds since the epoch at which a probe may go. */
  until: number;
  /** How often it opened without closing: doubles the time. */
  opened: number;
  successes: number;
  /** Until when a probe is on its way. */
  probeUntil: number;
  reason: string;
}

const CLOSED: State = { state: 'closed', until: 0, opened: 0, successes: 0, probeUntil: 0, reason: '' };

export type Admission =
  /** Go ahead; as a probe when the breaker is half open. */
  | { admitted: true; probe: boolean }
  /** Not before `until`. */
  | { admitted: false; until: number; reason: string };

/**
 * A model's circuit breaker (model-inference section 9). The window of attempts is each process's own; whether it is
 * open is one record shared by all, read at most 1 s stale. While half open one probe goes at a time, claimed by a
 * conditional write.
 */
export class Breaker {
  readonly #records: Records;
  readonly #clock: Clock;
  readonly #key: { pk: string; sk: string };
  readonly #window = new AttemptWindow();
  #state: State = CLOSED;
  #version = 0;
  #read = -Infinity;
  #reading: Promise<void> | undefined;
  #claiming: Promise<unknown> = Promise.resolve();

  constructor(context: { records: Records; clock: Clock }, model: string) {
    this.#records = context.records;
    this.#clock = context.clock;
    this.#key = { pk: `BREAKER#${model}`, sk: 'STATE' };
  }

  /** Whether attempts pass, up to 1 s stale: for catalogues and metrics. */
  async closed(): Promise<boolean> {
    await this.#refresh();
    return this.#state.state === 'closed';
  }

  /** Whether attempts were refused when this process last looked. */
  get isOpen(): boolean {
    return this.#state.state !== 'closed';
  }

  /** When an attempt may be asked for: 0 for now, else the time until which it is refused, and why. Claims nothing. */
  async blockedUntil(): Promise<{ until: number; reason: string }> {
    await this.#refresh();
    return this.#blocked();
  }

  #blocked(): { until: number; reason: string } {
    const { state, until, probeUntil, reason } = this.#state;
    const now = this.#clock.now();
    if (state === 'closed' || now >= Math.max(until, probeUntil)) return { until: 0, reason };
    // A probe in flight is answered sooner than its time limit: callers look again each second.
    return { until: now < until ? until : now + STALE_MS, reason };
  }

  /** Asks to make an attempt. A probe that was admitted must be reported to `after` or `abandon`. */
  async enter(): Promise<Admission> {
    await this.#refresh();
    if (this.#state.state === 'closed') return { admitted: true, probe: false };
    // One claim at a time in this process; the record decides between processes.
    const claim = this.#claiming.then(() => this.#claim());
    this.#claiming = claim.catch(() => undefined);
    return claim;
  }

  async #claim(): Promise<Admission> {
    for (;;) {
      const state = this.#state;
      if (state.state === 'closed') return { admitted: true, probe: false };
      const { until, reason } = this.#blocked();
      if (until > 0) return { admitted: false, until, reason };
      const now = this.#clock.now();
      if (await this.#write({ ...state, state: 'half-open', probeUntil: now + PROBE_MS })) {
        return { admitted: true, probe: true };
      }
    }
  }

  /** Reports an attempt: its error code, or nothing where it was answered. */
  async after(probe: boolean, code: InferErrorCode | undefined, coldStart = false): Promise<void> {
    // An asynchronous call's probe may be reported by a process that has not asked for one.
    if (probe) await this.#refresh();
    const now = this.#clock.now();
    if (code === 'QUOTA' || code === 'AUTH' || code === 'NOT_FOUND') {
      // Attempts that were on their way when it opened say nothing new.
      const known = code === 'QUOTA' ? this.#state.reason === code : this.#state.state !== 'closed';
      if (!probe && this.#state.state !== 'closed' && known) return;
      return this.#open(code, code === 'QUOTA' ? QUOTA_OPEN_MS : undefined);
    }
    const opens = !coldStart && this.#window.note(now, code);
    if (probe) {
      const failed = code !== undefined && code !== 'BAD_REQUEST' && code !== 'CONTEXT_OVERFLOW';
      return failed ? this.#open(code) : this.#probed();
    }
    if (opens && this.#state.state === 'closed') await this.#open(code ?? 'UNAVAILABLE');
  }

  /** Gives an unused probe back. */
  async abandon(): Promise<void> {
    await this.#write({ ...this.#state, probeUntil: 0 });
  }

  async #probed(): Promise<void> {
    while (this.#state.state === 'half-open') {
      const successes = this.#state.successes + 1;
      const next: State = successes >= PROBES ? CLOSED : { ...this.#state, successes, probeUntil: 0 };
      if (next === CLOSED) this.#window.clear();
      if (await this.#write(next)) return;
    }
  }

  async #open(reason: string, forMs?: number): Promise<void> {
    this.#window.clear();
    for (;;) {
      const opened = this.#state.opened + 1;
      const ms = forMs ?? Math.min(LONGEST_OPEN_MS, FIRST_OPEN_MS * 2 ** (opened - 1));
      const until = this.#clock.now() + ms;
      // Another process may have opened it for longer.
      if (this.#state.state === 'open' && this.#state.until >= until) return;
      if (await this.#write({ state: 'open', until, opened, successes: 0, probeUntil: 0, reason })) return;
      if (this.#state.state === 'open' && this.#clock.now() < this.#state.until && forMs === undefined)
        return;
    }
  }

  async #refresh(): Promise<void> {
    if (this.#clock.now() - this.#read < STALE_MS) return;
    this.#reading ??= this.#records
      .get(this.#key)
      .then((item) => this.#remember(item))
      .finally(() => (this.#reading = undefined));
    await this.#reading;
  }

  #remember(item: RecordItem | null | undefined): void {
    this.#state = item ? (item.attributes as unknown as State) : CLOSED;
    this.#version = item?.version ?? 0;
    this.#read = this.#clock.now();
  }

  /** Writes over what was last read; false when it had changed, which is then read. */
  async #write(state: State): Promise<boolean> {
    try {
      this.#remember(
        await this.#records.put(
          { ...this.#key, attributes: state as unknown as Record<string, Json> },
          this.#version === 0 ? { ifAbsent: true } : { ifVersion: this.#version },
        ),
      );
      return true;
    } catch (error) {
      if (!isError(error, 'Conflict')) throw error;
      this.#remember(error.data.current as RecordItem | null);
      return false;
    }
  }
}
