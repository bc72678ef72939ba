import type { Clock } from '#shared/determinism/clock.ts';
import type { Rng } from '#shared/determinism/rng.ts';

/** Tries of one request, the first included. */
export const MAX_TRIES = 10;
const FIRST_MS = 500;
const LONGEST_MS = 30_000;

/** How long to wait after try k (from 1): uniform in [0, min(30 s, 0.5 s · 2^(k-1))], not less than was asked for. */
export const waitAfter = (k: number, rng: Rng, askedMs = 0): number =>
  Math.max(
    Math.min(askedMs, LONGEST_MS),
    Math.floor(rng.next() * Math.min(LONGEST_MS, FIRST_MS * 2 ** (k - 1))),
  );

export interface RetryOptions {
  clock: Clock;
  /** Jitter only. */
  rng: Rng;
  /** No try is made that would begin later, in milliseconds since the epoch. */
  until: number;
  signal?: AbortSignal;
  /** Default 10. */
  tries?: number;
  /** Whether another try may succeed, and how long the other side asked to wait. */
  again(error: unknown): { afterMs?: number } | undefined;
}

/** Runs `body` until it succeeds or another try makes no sense; then throws its last error. */
export async function withRetries<T>(
  body: (attempt: number) => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const { clock, rng, until, signal, tries = MAX_TRIES, again } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await body(attempt);
    } catch (error) {
      const more = attempt < tries ? again(error) : undefined;
      if (!more) throw error;
      const wait = waitAfter(attempt, rng, more.afterMs);
      if (clock.now() + wait >= until) throw error;
      await clock.sleep(wait, signal);
    }
  }
}
