import type { Clock } from '#shared/determinism/clock.ts';

export interface VirtualClock extends Clock {
  /** Runs the work, jumping to the next sleeper whenever nothing else goes on. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * A clock whose time passes only when everybody sleeps. Storage that answers within a few turns of the event loop or
 * reads files (the embedded adapters do) needs no time on it.
 * @param turns of the event loop without a new sleeper before the clock jumps.
 */
export function virtualClock(start = Date.parse('2026-01-01T00:00:00Z'), turns = 8): VirtualClock {
  let now = start;
  let order = 0;
  const sleepers = new Set<{ due: number; order: number; wake(): void }>();

  return {
    now: () => now,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        const sleeper = { due: now + Math.max(0, ms), order: order++, wake: done };
        function done(): void {
          sleepers.delete(sleeper);
          signal?.removeEventListener('abort', stop);
          resolve();
        }
        function stop(): void {
          sleepers.delete(sleeper);
          reject(signal!.reason as Error);
        }
        signal?.addEventListener('abort', stop, { once: true });
        sleepers.add(sleeper);
      });
    },
    async run(work) {
      let over = false;
      const result = work().finally(() => (over = true));
      result.catch(() => undefined);
      while (!over) {
        for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve));
        if (over) break;
        // Files, zlib and names are read at the machine's own pace.
        if (process.getActiveResourcesInfo().some((resource) => resource.includes('Req'))) continue;
        let next: { due: number; order: number; wake(): void } | undefined;
        for (const sleeper of sleepers) {
          if (!next || sleeper.due < next.due || (sleeper.due === next.due && sleeper.order < next.order))
            next = sleeper;
        }
        if (!next) continue;
        now = Math.max(now, next.due);
        next.wake();
      }
      return result;
    },
  };
}
