import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bm25Index } from '#shared/text/bm25.ts';
import { topScores } from '#shared/text/top.ts';
import { vectorIndex } from '#shared/text/vector-index.ts';
import { centroid, dot, matrixOf, rowsOf, unitVector } from '#shared/text/vectors.ts';

const document = (id: string, text: string) => ({ id, fields: { text } });

describe('BM25', () => {
  const index = bm25Index([
    document('a', 'profit from selling roses'),
    document('b', 'distance of a train from its speed'),
    document('c', 'the profit of a shop that sells profit'),
    document('d', 'area of a circle'),
    document('e', 'interest on a loan'),
  ]);

  test('scores by the formula', () => {
    // Two of five documents hold "profit": idf = ln(3.5 / 2.5). Lengths 4, 7, 8, 4, 4: mean 5.4.
    const idf = Math.log(3.5 / 2.5);
    const expected = (count: number, length: number): number =>
      (idf * count * 2.2) / (count + 1.2 * (0.25 + (0.75 * length) / 5.4));
    const scores = index.scores('profits');
    expect(scores[0]).toBeCloseTo(expected(1, 4), 12);
    expect(scores[2]).toBeCloseTo(expected(2, 8), 12);
    expect([scores[1], scores[3], scores[4]]).toEqual([0, 0, 0]);
  });

  test('finds words by their stems, best first, and nothing that shares no term', () => {
    expect(index.search('selling a rose', 5).map(({ id }) => id)).toEqual(['a', 'c']);
    expect(index.search('quantum', 5)).toEqual([]);
  });

  test('clips what most documents hold to zero', () => {
    expect([...index.scores('a')]).toEqual([0, 0, 0, 0, 0]);
  });

  test('weighs fields', () => {
    const documents = [
      { id: 'text', fields: { name: 'other', text: 'velocity' } },
      { id: 'name', fields: { name: 'velocity', text: 'other' } },
      document('x', 'filler'),
      document('y', 'filler'),
      document('z', 'filler'),
    ];
    const [first, second] = bm25Index(documents, { fields: { name: 2 } }).search('velocity', 2);
    expect(first!.id).toBe('name');
    expect(first!.score).toBeGreaterThan(second!.score);
    const plain = bm25Index(documents).search('velocity', 2);
    expect(plain.map(({ id }) => id)).toEqual(['name', 'text']);
    expect(plain[0]!.score).toBe(plain[1]!.score);
  });

  test('takes any text, and an empty index answers', () => {
    expect(bm25Index([]).search('x', 3)).toEqual([]);
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), fc.string({ unit: 'binary' }), (texts, query) => {
        const scores = bm25Index(texts.map((text, at) => document(String(at), text))).scores(query);
        expect(scores.every((score) => Number.isFinite(score) && score >= 0)).toBe(true);
      }),
    );
  });
});

describe('the k best', () => {
  test('are those of a full sort, ties by id', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.uuid())),
        fc.integer({ min: 0, max: 12 }),
        (items, k) => {
          const ids = items.map(([, id], at) => `${id}-${at}`);
          const scores = items.map(([score]) => score);
          const sorted = scores
            .map((score, index) => ({ index, score }))
            .filter(({ index }) => index % 3 !== 0)
            .sort((a, b) => b.score - a.score || (ids[a.index]! < ids[b.index]! ? -1 : 1))
            .slice(0, k);
          expect(topScores(scores, ids, k, (index) => index % 3 !== 0)).toEqual(sorted);
        },
      ),
    );
  });
});

describe('the vector index', () => {
  const vectors = [
    [1, 0, 0],
    [0.8, 0.6, 0],
    [0, 1, 0],
    [0.8, 0.6, 0],
  ].map((values) => Float32Array.from(values));
  const index = vectorIndex(['a', 'z', 'c', 'b'], matrixOf(vectors, 3), 3);

  test('gives exact cosines, nearest first, ties by id', () => {
    const hits = index.search(vectors[0]!, 3);
    expect(hits.map(({ id }) => id)).toEqual(['a', 'b', 'z']);
    expect(hits[1]!.score).toBeCloseTo(0.8, 6);
    expect(index.search(vectors[0]!, 2, (at) => at !== 0).map(({ id }) => id)).toEqual(['b', 'z']);
  });

  test('refuses sizes that do not fit', () => {
    expect(() => vectorIndex(['a'], new Float32Array(5), 3)).toThrow('5 numbers are not 1 vectors of 3');
    expect(() => index.scores(new Float32Array(4))).toThrow('The query has 4 numbers');
    expect(() => matrixOf([new Float32Array(2)], 3)).toThrow('Vector 0 has 2 numbers');
  });
});

describe('vector arithmetic', () => {
  test('inner products take every length and offset', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 13 }), (values) => {
        const vector = Float32Array.from(values);
        const expected = values.reduce((sum, value) => sum + value * value, 0);
        expect(dot(vector, vector)).toBe(expected);
        expect(dot(vector, Float32Array.from([7, 7, ...values, 7]), 2)).toBe(expected);
      }),
    );
  });

  test('directions and centroids exist or are undefined, never zeros', () => {
    expect(unitVector([3, 4])).toEqual(Float32Array.from([0.6, 0.8]));
    expect(unitVector([0, 0])).toBeUndefined();
    expect(unitVector([NaN, 1])).toBeUndefined();
    expect(centroid([])).toBeUndefined();
    expect(centroid([Float32Array.from([1, 0]), Float32Array.from([-1, 0])])).toBeUndefined();
    expect(centroid([Float32Array.from([1, 0]), Float32Array.from([0, 1])])![0]).toBeCloseTo(Math.SQRT1_2, 6);
    expect(rowsOf(Float32Array.from([1, 2, 3, 4]), 2).map((row) => [...row])).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });
});
