import { setTimeout as delay } from 'node:timers/promises';

/** The time, injected so that tests and the embedded engine can run on a virtual one. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms` of this clock's time; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await delay(Math.max(0, ms), undefined, signal ? { signal } : {});
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    }
  },
};

/** ISO 8601 UTC text with milliseconds of a clock reading. */
export const isoTime = (ms: number): string => new Date(ms).toISOString();
