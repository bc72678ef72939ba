import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HashSets } from '#shared/text/hash-sets.ts';
import { charGramHashes, charGrams, jaccard, wordGramHashes } from '#shared/text/hashes.ts';
import { guessLanguage, primaryLanguage } from '#shared/text/languages.ts';
import { normaliseLicence, sameLicence } from '#shared/text/licences.ts';
import { bandKey, candidateProbability, minhash, similarity } from '#shared/text/minhash.ts';
import { comparable, contaminationWords, normaliseDocument } from '#shared/text/normalise.ts';
import { countTokens } from '#shared/text/tokens.ts';
import { UnionFind } from '#shared/text/union-find.ts';

describe('normal forms', () => {
  test('a document loses what cannot be seen and keeps its lines', () => {
    expect(normaliseDocument('\ufeffa\u200bb\r\n\tc  \r\n\r\n\r\n\r\nd\u0007 e\u0301 ')).toBe(
      'ab\n\tc\n\nd \u00e9',
    );
  });

  test('normal forms are idempotent', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = normaliseDocument(text);
        expect(normaliseDocument(once)).toBe(once);
        expect(once.isWellFormed()).toBe(true);
        expect(comparable(comparable(text))).toBe(comparable(text));
      }),
    );
  });

  test('a lone dash is no word; hyphens and apostrophes join', () => {
    expect(contaminationWords('Well \u2014 the  city\u2019s OLD-town, 3.5\u00a0km!')).toEqual([
      'well',
      'the',
      'citys',
      'oldtown',
      '35',
      'km',
    ]);
    expect(contaminationWords(' - \u2014 . ')).toEqual([]);
  });
});

describe('tokens', () => {
  test('a run without a break is counted in linear time, near its true count', () => {
    const count = countTokens(`start ${'ab'.repeat(200_000)} end`);
    expect(count).toBeGreaterThan(10_000);
    expect(countTokens('<|endoftext|>')).toBeGreaterThan(1);
  });
});

describe('MinHash', () => {
  test('estimates Jaccard similarity', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 50, max: 300 }), (shared, own) => {
        const words = (prefix: string, count: number): string[] =>
          Array.from({ length: count }, (_, i) => `${prefix}${i}`);
        const a = [...words('s', shared), ...words('a', own)];
        const b = [...words('s', shared), ...words('b', own)];
        const [x, y] = [minhash(wordGramHashes(a, 1))!, minhash(wordGramHashes(b, 1))!];
        expect(Math.abs(similarity(x, y) - jaccard(new Set(a), new Set(b)))).toBeLessThan(0.25);
      }),
      { numRuns: 50 },
    );
  });

  test('equal sets have equal signatures and bands, whatever the order; an empty one has none', () => {
    const grams = charGramHashes('a stone arch bridge', 5);
    expect(minhash(grams.toReversed())).toEqual(minhash(grams));
    expect(bandKey(minhash(grams)!, 3, 4)).toBe(bandKey(minhash(grams.toSorted())!, 3, 4));
    expect(minhash(new Uint32Array(0))).toBeUndefined();
  });

  test('the banding curves are those of the specification', () => {
    expect(candidateProbability(0.5, 32, 4)).toBeCloseTo(0.873, 3);
    expect(candidateProbability(0.8, 32, 4)).toBeGreaterThan(0.9999);
    expect(candidateProbability(0.8, 16, 8)).toBeCloseTo(0.947, 3);
  });

  test('grams of short texts are the text itself', () => {
    expect([...charGrams('abc', 5)]).toEqual(['abc']);
    expect(charGrams('', 5).size).toBe(0);
    expect(charGramHashes('abcdef', 5)).toHaveLength(2);
  });

  test('a gram has the same hash wherever it stands', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.integer({ min: 1, max: 8 }), (text, n) => {
        const hashes = charGramHashes(text, n);
        const grams = text.length < n ? [text] : Array.from({ length: text.length - n + 1 }, (_, i) => i);
        expect([...hashes]).toEqual(
          text === ''
            ? []
            : grams.map((at) => charGramHashes(typeof at === 'string' ? at : text.slice(at, at + n), n)[0]),
        );
      }),
    );
  });

  test('the similarity of hash sets is exact, repeats or not, one comparison after another', () => {
    const sets = new HashSets();
    const hashes = fc.array(fc.oneof(fc.nat(40), fc.constantFrom(1024, 2048, 0xffffffff)), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(hashes, hashes, (a, b) => {
        const exact = jaccard(new Set(a.map(String)), new Set(b.map(String)));
        expect(sets.jaccard(Uint32Array.from(a), Uint32Array.from(b))).toBe(exact);
      }),
    );
    // More hashes than the table had room for.
    const many = Uint32Array.from({ length: 5000 }, (_, i) => i);
    expect(sets.jaccard(many, many.subarray(0, 2500))).toBe(0.5);
  });
});

test('union-find: the lowest index is the root, in any order of unions', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(19), fc.nat(19)), { maxLength: 30 }), (edges) => {
      const forward = new UnionFind(20);
      const backward = new UnionFind(20);
      for (const [a, b] of edges) forward.union(a, b);
      for (const [a, b] of edges.toReversed()) backward.union(b, a);
      for (let i = 0; i < 20; i++) {
        expect(forward.find(i)).toBe(backward.find(i));
        expect(forward.find(i)).toBeLessThanOrEqual(i);
      }
    }),
  );
});

describe('languages and licences', () => {
  test('English prose is told from other languages', () => {
    expect(
      guessLanguage(
        'The bridge that was built by the masons of the town is one of the oldest, and it has an arch.',
      ),
    ).toBe('en');
    expect(
      guessLanguage(
        'Die Br\u00fccke wurde von den Maurern der Stadt gebaut und ist eine der \u00e4ltesten im Land.',
      ),
    ).toBe('und');
    expect(guessLanguage('')).toBe('und');
    expect(primaryLanguage('en-GB')).toBe('en');
    expect(primaryLanguage('nonsense tag')).toBeUndefined();
  });

  test.each([
    ['cc-by-4.0', 'CC-BY-4.0'],
    ['https://creativecommons.org/licenses/by-sa/3.0/deed.en', 'CC-BY-SA-3.0'],
    ['http://creativecommons.org/publicdomain/zero/1.0/', 'CC0-1.0'],
    ['Apache License 2.0', 'Apache-2.0'],
    [' Company Internal ', 'Company Internal'],
  ])('%s is %s', (given, id) => {
    expect(normaliseLicence(given)).toBe(id);
    expect(sameLicence(given.toUpperCase(), id)).toBe(true);
  });
});
