import type { Rng } from '#shared/determinism/rng.ts';

const FIRST_MS = 500;
const LONGEST_MS = 20_000;
/** A server that asks for more is not worth waiting for within one request. */
export const LONGEST_RETRY_AFTER_MS = 120_000;

/**
 * How long to wait before attempt k+1: uniform in [0, min(20 s, 0.5 s * 2^(k-1))], and not less than the server asked.
 * @param k attempts made, from 1.
 */
export function backOffMs(k: number, rng: Rng, retryAfterMs = 0): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** (k - 1));
  return Math.max(Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS), Math.floor(rng.next() * ceiling));
}
