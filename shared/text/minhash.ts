import { mix32 } from './hashes.ts';

/**
 * One-permutation MinHash with optimal densification (Li, Owen and Zhang 2012; Shrivastava 2017): one hash a gram, its
 * top 7 bits choose one of 128 bins, each bin keeps its minimum, and an empty bin copies an originally filled one found
 * by a fixed hash probe. The share of equal bins of two signatures estimates the Jaccard similarity of their gram sets.
 */
export const BINS = 128;

const EMPTY = 0xffffffff;

/** The signature of gram hashes (uniform 32-bit, as `charGramHashes` gives); undefined where there is no gram. */
export function minhash(grams: Uint32Array): Uint32Array | undefined {
  if (grams.length === 0) return undefined;
  const bins = new Uint32Array(BINS).fill(EMPTY);
  const filled = new Uint8Array(BINS);
  for (const gram of grams) {
    const bin = gram >>> 25;
    filled[bin] = 1;
    if (gram < bins[bin]!) bins[bin] = gram;
  }
  for (let bin = 0; bin < BINS; bin++) {
    if (filled[bin]) continue;
    for (let attempt = 1; ; attempt++) {
      const other = mix32(Math.imul(bin + 1, 0x9e3779b1) ^ Math.imul(attempt, 0x85ebca77)) >>> 25;
      if (!filled[other]) continue;
      bins[bin] = bins[other]!;
      break;
    }
  }
  return bins;
}

/** The estimated Jaccard similarity of two signatures' sets: the share of equal bins. */
export function similarity(a: Uint32Array, b: Uint32Array): number {
  let equal = 0;
  for (let i = 0; i < BINS; i++) if (a[i] === b[i]) equal++;
  return equal / BINS;
}

/** A 53-bit key of the band's rows; signatures that agree in a whole band share it. */
export function bandKey(signature: Uint32Array, band: number, rows: number): number {
  let low = mix32(band + 1);
  let high = mix32(band + 0x10001);
  for (let i = band * rows; i < (band + 1) * rows; i++) {
    low = mix32(low ^ signature[i]!);
    high = mix32(Math.imul(high, 0x01000193) ^ signature[i]!);
  }
  return (high & 0x1fffff) * 2 ** 32 + low;
}

/** P(candidate) of b bands of r rows at Jaccard similarity s: 1 - (1 - s^r)^b. */
export function candidateProbability(s: number, bands: number, rows: number): number {
  return 1 - (1 - s ** rows) ** bands;
}
