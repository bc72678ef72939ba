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

let latest = { ms: 0, text: '1970-01-01T00:00:00.000Z' };

/** ISO 8601 UTC text with milliseconds of a clock reading. */
export function isoTime(ms: number): string {
  // Times that are written together are mostly of one millisecond.
  if (ms !== latest.ms) latest = { ms, text: new Date(ms).toISOString() };
  return latest.text;
}
