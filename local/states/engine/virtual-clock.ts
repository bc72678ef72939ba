import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '#shared/determinism/clock.ts';
import { TimerHeap, type Timed } from './heap.ts';

interface Sleeper extends Timed {
  wake(): void;
}

interface Activity {
  /** Sleeps of this activity that are under way. */
  sleeping: number;
}

/** A clock that knows when nothing but time can happen next. */
export interface VirtualTime extends Clock {
  /** Keeps the time from jumping until the returned function is called. */
  hold(): () => void;
  /** Runs a body that keeps the time from jumping except while it is in `sleep`. */
  activity<T>(body: () => Promise<T>): Promise<T>;
}

export const isVirtual = (clock: Clock): clock is VirtualTime => 'activity' in clock && 'hold' in clock;

/**
 * A clock that stands still while anything runs and jumps to the next sleeper when nothing does (embedded-platform
 * section 6): when no hold is open and every activity has settled or is in `sleep`. An hour of waiting takes no time,
 * and the order of events does not depend on how fast the machine is.
 */
export class VirtualClock implements VirtualTime {
  #now: number;
  #holds = 0;
  readonly #activities = new Set<Activity>();
  readonly #sleepers = new TimerHeap<Sleeper>();
  readonly #current = new AsyncLocalStorage<Activity>();
  #checking = false;

  /** @param start - milliseconds since the epoch; default 2025-01-01T00:00:00Z, so that runs repeat exactly */
  constructor(start = Date.UTC(2025, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const activity = this.#current.getStore();
      const done = (): void => {
        if (activity) activity.sleeping--;
        signal?.removeEventListener('abort', abort);
      };
      const abort = (): void => {
        this.#sleepers.remove(sleeper);
        done();
        reject(signal?.reason);
        this.#check();
      };
      const sleeper: Sleeper = {
        due: this.#now + Math.max(0, ms),
        at: -1,
        wake: () => {
          done();
          resolve();
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      if (activity) activity.sleeping++;
      this.#sleepers.add(sleeper);
      this.#check();
    });
  }

  hold(): () => void {
    this.#holds++;
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      this.#holds--;
      this.#check();
    };
  }

  async activity<T>(body: () => Promise<T>): Promise<T> {
    const activity: Activity = { sleeping: 0 };
    this.#activities.add(activity);
    try {
      return await this.#current.run(activity, body);
    } finally {
      this.#activities.delete(activity);
      this.#check();
    }
  }

  #still(): boolean {
    if (this.#holds > 0) return false;
    for (const activity of this.#activities) if (activity.sleeping === 0) return false;
    return true;
  }

  /** Looks again after the promises at hand have run, twice, because waking one may start another activity. */
  #check(): void {
    if (this.#checking || this.#sleepers.size === 0) return;
    this.#checking = true;
    setImmediate(() =>
      setImmediate(() => {
        this.#checking = false;
        const next = this.#sleepers.peek();
        if (next === undefined || !this.#still()) return;
        this.#sleepers.remove(next);
        this.#now = Math.max(this.#now, next.due);
        next.wake();
        this.#check();
      }),
    );
  }
}
