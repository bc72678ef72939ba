import { createHash } from 'node:crypto';
import { canonicalJson } from './hash.ts';

/** A seeded source of randomness. Equal seeds give equal sequences on every machine. */
export interface Rng {
  /** Uniform 32-bit unsigned integer. */
  uint32(): number;
  /** Uniform number in [0, 1) with 53 random bits. */
  next(): number;
  /** Uniform integer in [0, bound); bound is an integer from 1 to 2^32. */
  below(bound: number): number;
  /** One element of a non-empty array. */
  pick<T>(items: readonly T[]): T;
  /** A shuffled copy (Fisher-Yates). */
  shuffle<T>(items: readonly T[]): T[];
}

/**
 * xoshiro128** (Blackman and Vigna) seeded with the first 128 bits of SHA-256 of the canonical JSON of `seed`,
 * which may be any JSON value; arrays of parts such as `[seed, docId, 'persona']` keep purposes apart.
 */
export function seededRng(...seed: unknown[]): Rng {
  const digest = createHash('sha256').update(canonicalJson(seed)).digest();
  const s = new Uint32Array(4);
  for (let i = 0; i < 4; i++) s[i] = digest.readUInt32LE(i * 4);
  if (s[0] === 0 && s[1] === 0 && s[2] === 0 && s[3] === 0) s[0] = 1;

  const rotl = (x: number, k: number): number => ((x << k) | (x >>> (32 - k))) >>> 0;
  const uint32 = (): number => {
    const result = Math.imul(rotl(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const t = (s[1]! << 9) >>> 0;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = rotl(s[3]!, 11);
    return result;
  };
  const below = (bound: number): number => {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32) {
      throw new RangeError(`below(${bound}): the bound must be an integer from 1 to 2^32.`);
    }
    // Rejection keeps every value equally likely.
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const value = uint32();
      if (value < limit) return value % bound;
    }
  };
  return {
    uint32,
    below,
    next: () => ((uint32() >>> 5) * 2 ** 26 + (uint32() >>> 6)) / 2 ** 53,
    pick(items) {
      if (items.length === 0) throw new RangeError('pick() needs at least one item.');
      return items[below(items.length)]!;
    },
    shuffle(items) {
      const out = [...items];
      for (let i = out.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [out[i], out[j]] = [out[j]!, out[i]!];
      }
      return out;
    },
  };
}
