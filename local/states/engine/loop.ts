import { setImmediate as nextRound } from 'node:timers/promises';
import type { Kernel } from './kernel.ts';
import { step } from './step.ts';
import { isVirtual } from './virtual-clock.ts';

/** A turn ends after so many transitions, or milliseconds, whichever comes first (embedded-platform section 6). */
const TURN_TRANSITIONS = 512;
const TURN_MS = 5;
/** Timers of Node cannot wait longer at once. */
const MAX_SLEEP_MS = 2 ** 31 - 1;

/**
 * Drives the kernel: work from outside, due timers, then steps of ready frames round-robin; one commit a turn; what
 * depends on the commit after it. One turn runs at a time, so nothing else touches the kernel meanwhile.
 */
export class Loop {
  readonly #kernel: Kernel;
  readonly #onError: (error: unknown) => void;
  #running = false;
  #stopped = false;
  #alarm: { due: number; abort: AbortController } | undefined;
  #idle: (() => void)[] = [];
  /** Set when a commit failed: memory is ahead of the store, so only a restart can go on. */
  #broken: unknown;

  constructor(kernel: Kernel, onError: (error: unknown) => void) {
    this.#kernel = kernel;
    this.#onError = onError;
  }

  get broken(): unknown {
    return this.#broken;
  }

  wake(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    const release = isVirtual(this.#kernel.clock) ? this.#kernel.clock.hold() : () => {};
    setImmediate(() => void this.#drive(release));
  }

  /** Resolves when no turn is under way. */
  async settled(): Promise<void> {
    if (this.#running) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#alarm?.abort.abort();
    await this.settled();
  }

  async #drive(release: () => void): Promise<void> {
    try {
      while (!this.#stopped) {
        await this.#turn();
        if (!this.#hasWork()) break;
        await nextRound();
      }
    } catch (error) {
      this.#broken = error;
      this.#stopped = true;
      this.#onError(error);
    }
    this.#running = false;
    if (!this.#stopped) this.#arm();
    for (const resolve of this.#idle.splice(0)) resolve();
    release();
  }

  #hasWork(): boolean {
    const { work, readyFrames, afterCommit, timers, clock } = this.#kernel;
    if (work.length > 0 || readyFrames > 0 || afterCommit.length > 0) return true;
    const next = timers.peek();
    return next !== undefined && next.due <= clock.now();
  }

  async #turn(): Promise<void> {
    const kernel = this.#kernel;
    const until = performance.now() + TURN_MS;
    const first = kernel.transitions;
    const now = kernel.now();
    for (let timer = kernel.timers.popDue(now); timer; timer = kernel.timers.popDue(now)) timer.fire();
    for (let steps = 0; ; steps++) {
      if (kernel.work.length > 0) await this.#work();
      if (kernel.transitions - first >= TURN_TRANSITIONS || (steps % 8 === 7 && performance.now() >= until))
        break;
      const frame = kernel.nextReady();
      if (frame) await step(kernel, frame);
      else if (kernel.work.length === 0) break;
    }
    kernel.store.commit(kernel.takeChanges());
    for (const then of kernel.afterCommit.splice(0)) then();
  }

  async #work(): Promise<void> {
    const { work } = this.#kernel;
    for (let at = 0; at < work.length; at++) {
      try {
        const doing = work[at]!();
        if (doing) await doing;
      } catch (error) {
        // A fault of the engine itself: one piece of work is lost, and said to be; the rest goes on.
        this.#onError(error);
      }
    }
    work.length = 0;
  }

  /** Sleeps until the next timer is due. */
  #arm(): void {
    const next = this.#kernel.timers.peek();
    if (next === undefined) return;
    if (this.#alarm) {
      if (this.#alarm.due <= next.due) return;
      this.#alarm.abort.abort();
    }
    const alarm = { due: next.due, abort: new AbortController() };
    this.#alarm = alarm;
    const ms = Math.min(Math.max(0, next.due - this.#kernel.now()), MAX_SLEEP_MS);
    this.#kernel.clock.sleep(ms, alarm.abort.signal).then(
      () => {
        if (this.#alarm === alarm) this.#alarm = undefined;
        this.wake();
      },
      () => {
        if (this.#alarm === alarm) this.#alarm = undefined;
      },
    );
  }
}
