import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { averageLinkage, cutTree } from '#shared/text/clustering.ts';
import { dot, unitVector } from '#shared/text/vectors.ts';
import { seededRng } from '#shared/determinism/rng.ts';

const randomVectors = (n: number, dims: number, seed: number): Float32Array[] => {
  const rng = seededRng(seed, 'vectors');
  return Array.from({ length: n }, () =>
    unitVector(Float32Array.from({ length: dims }, () => rng.next() - 0.5))!,
  );
};

/** The definition: unite the two clusters with the least mean distance of their items, again and again. */
function naiveHeights(vectors: Float32Array[]): number[] {
  const clusters = vectors.map((_, index) => [index]);
  const heights: number[] = [];
  while (clusters.length > 1) {
    let best = { height: Infinity, i: 0, j: 0 };
    for (let i = 0; i < clusters.length; i++) {
      for (let j = i + 1; j < clusters.length; j++) {
        const pairs = clusters[i]!.flatMap((a) =>
          clusters[j]!.map((b) => Math.max(0, 1 - dot(vectors[a]!, vectors[b]!))),
        );
        const height = pairs.reduce((sum, each) => sum + each, 0) / pairs.length;
        if (height < best.height) best = { height, i, j };
      }
    }
    heights.push(best.height);
    clusters[best.i]!.push(...clusters.splice(best.j, 1)[0]!);
  }
  return heights;
}

describe('average linkage', () => {
  test('finds the groups that are there', () => {
    const group = (axis: number): Float32Array[] =>
      [0, 0.1, 0.2].map((off) => unitVector([0, 1, 2].map((at) => (at === axis ? 1 : off)))!);
    const vectors = [group(0), group(1), group(2)].flat();
    const merges = averageLinkage(vectors);
    expect(cutTree(merges, 9, 0.3)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7, 8],
    ]);
    expect(cutTree(merges, 9, 2)).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8]]);
  });

  test('joins equal vectors at distance 0, and knows the empty and the single', () => {
    const [one] = randomVectors(1, 8, 1);
    expect(averageLinkage([])).toEqual([]);
    expect(averageLinkage([one!])).toEqual([]);
    expect(cutTree([], 1, 0.5)).toEqual([[0]]);
    const [merge] = averageLinkage([one!, one!]);
    expect(merge).toMatchObject({ a: 0, b: 1 });
    expect(merge!.height).toBeCloseTo(0, 6);
  });

  test('gives the heights of the definition', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 24 }), fc.integer(), (n, seed) => {
        const vectors = randomVectors(n, 6, seed);
        const heights = averageLinkage(vectors).map(({ height }) => height);
        naiveHeights(vectors).forEach((height, index) => expect(heights[index]).toBeCloseTo(height, 9));
      }),
      { numRuns: 60 },
    );
  });

  test('is a tree: heights rise, every cut partitions the items, deeper cuts lie inside', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer(), (n, seed) => {
        // Two dimensions only, so that there are many equal distances.
        const vectors = randomVectors(n, 2, seed).map((v) =>
          unitVector(v.map((x) => Math.round(x * 2) || 1))!,
        );
        const merges = averageLinkage(vectors);
        expect(merges).toHaveLength(n - 1);
        merges.forEach((merge, index) => {
          expect(merge.height).toBeGreaterThanOrEqual(merges[index - 1]?.height ?? 0);
          expect(merge.b).toBeLessThan(n + index);
        });
        const cuts = [0.8, 0.6, 0.45, 0].map((threshold) => cutTree(merges, n, threshold));
        for (const cut of cuts)
          expect(cut.flat().sort((a, b) => a - b)).toEqual(vectors.map((_, index) => index));
        for (let level = 1; level < cuts.length; level++) {
          for (const inner of cuts[level]!) {
            expect(cuts[level - 1]!.some((outer) => inner.every((item) => outer.includes(item)))).toBe(true);
          }
        }
        expect(averageLinkage(vectors)).toEqual(merges);
      }),
      { numRuns: 60 },
    );
  });
});
