import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BenchmarkIndex,
  BenchmarkIndexBuilder,
  type BenchmarkItem,
} from '#functions/dataset-synthesis/curation/benchmark-index.ts';
import { anchorsOf, findDuplicates } from '#functions/dataset-synthesis/curation/duplicates.ts';
import { charGrams, jaccard } from '#shared/text/hashes.ts';
import { comparable } from '#shared/text/normalise.ts';

const item = (id: string, question: string, choices: string[] = []): BenchmarkItem => ({
  id,
  question,
  choices,
});

async function indexOf(benchmarks: Record<string, BenchmarkItem[]>): Promise<BenchmarkIndex> {
  const builder = new BenchmarkIndexBuilder(13);
  for (const [name, items] of Object.entries(benchmarks)) await builder.add(name, items);
  return new BenchmarkIndex(builder.names, builder.bytes());
}

const words = (count: number, from = 1): string =>
  Array.from({ length: count }, (_, i) => `word${i + from}`).join(' ');

describe('[dataset-synthesis 14] decontamination', () => {
  test('a 13-gram in two benchmarks names both, with items and gram', async () => {
    const index = await indexOf({
      A: [item('a1', `Start ${words(13)} end`)],
      B: [item('b7', 'Short', [`x ${words(13)}`])],
    });
    const hits = index.hits(`Tell me: ${words(13)}?`);
    expect(hits).toEqual([
      { benchmark: 'A', item: 'a1', gram: words(13) },
      { benchmark: 'B', item: 'b7', gram: words(13) },
    ]);
  });

  test('12 shared words of a longer item are kept', async () => {
    const index = await indexOf({ A: [item('a1', words(20))] });
    expect(index.hits(`other ${words(12)} else`)).toEqual([]);
    expect(index.hits(`other ${words(13)} else`)).toHaveLength(1);
  });

  test('case, punctuation and lone dashes hide nothing', async () => {
    const index = await indexOf({ A: [item('a1', words(13))] });
    const dressed = words(13).toUpperCase().replace('WORD5', '\u2014 "Word5",').replace('WORD9 ', 'WORD9 - ');
    expect(index.hits(dressed)).toHaveLength(1);
  });

  test('an item of 8 words drops only the equal question', async () => {
    const index = await indexOf({ A: [item('a1', 'What is the capital of the old kingdom?')] });
    expect(index.hits('what is the capital of the old kingdom')).toHaveLength(1);
    expect(index.hits('So what is the capital of the old kingdom?')).toEqual([]);
  });

  test('a gram in 11 items is template text, in 10 it is not', async () => {
    const items = (count: number) =>
      Array.from({ length: count }, (_, i) => item(`i${i}`, `${words(13)} tail${i}`));
    const many = await indexOf({ A: items(11) });
    expect(many.hits(words(13))).toEqual([]);
    expect(many.names.benchmarks[0]!.ignoredNgrams).toBe(1);
    expect((await indexOf({ A: items(10) })).hits(words(13))).toHaveLength(10);
  });

  test('finds exactly what a plain comparison of word windows finds', async () => {
    const word = fc.constantFrom('a', 'b', 'c');
    const text = fc.array(word, { minLength: 1, maxLength: 25 }).map((list) => list.join(' '));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 5 }), text, async (questions, probe) => {
        const index = await indexOf({ A: questions.map((question, i) => item(`q${i}`, question)) });
        const windows = (list: string[]): Set<string> =>
          new Set(
            list
              .map((_, i) => list.slice(i, i + 13))
              .filter((w) => w.length === 13)
              .map(String),
          );
        const mine = windows(probe.split(' '));
        const expected = questions.flatMap((question, i) => {
          const list = question.split(' ');
          const hit =
            list.length < 13 ? question === probe : [...windows(list)].some((window) => mine.has(window));
          return hit ? [`q${i}`] : [];
        });
        expect(index.hits(probe).map((hit) => hit.item)).toEqual(expected);
      }),
    );
  });
});

describe('[dataset-synthesis 17] duplicate pairs', () => {
  const near = { pairs: 'near', threshold: 0.8 } as const;
  const bridges = ['In what', 'In which'].map(
    (start) => `${start} year did Pebble Bridge, a stone arch bridge in Fenmoor, first open to road traffic?`,
  );
  const census = ['Arven', 'Torsk'].map(
    (town) =>
      `According to the 2019 national census, what was the total resident population of the municipality of ${town}?`,
  );
  const grams = (text: string): Set<string> => charGrams(comparable(text), 5);

  test('the specification\u2019s similarities', () => {
    expect(jaccard(grams(bridges[0]!), grams(bridges[1]!))).toBeCloseTo(74 / 87, 6);
    expect(jaccard(grams(census[0]!), grams(census[1]!))).toBeCloseTo(93 / 102, 6);
  });

  test('two wordings of one question leave one record: the lowest qaId', () => {
    const pairs = [
      { qaId: 'q2', question: bridges[0]!, answerKey: '1911' },
      { qaId: 'q1', question: bridges[1]!, answerKey: '1911' },
    ];
    const gone = findDuplicates(pairs, near);
    expect([...gone]).toEqual([
      [0, { code: 'NEAR_DUPLICATE_PAIR', evidence: { kept: 'q1', similarity: 0.8506 } }],
    ]);
    expect(findDuplicates(pairs, { ...near, pairs: 'exact' }).size).toBe(0);
  });

  test('one template about two towns stays twice, though answers are equal', () => {
    const pairs = census.map((question, i) => ({ qaId: `q${i}`, question, answerKey: '1200' }));
    expect(findDuplicates(pairs, near).size).toBe(0);
    expect(anchorsOf(census[0]!)).toEqual(['2019', 'arven']);
  });

  test('one question with unrelated answers goes altogether; with nested ones the shorter stays', () => {
    const ask = (qaId: string, answerKey: string) => ({
      qaId,
      question: 'Who built the OLD bridge?',
      answerKey,
    });
    expect(
      [...findDuplicates([ask('q1', 'anna'), ask('q2', 'bert'), ask('q3', 'anna')], near).values()].map(
        ({ code }) => code,
      ),
    ).toEqual(['CONFLICTING_ANSWER', 'CONFLICTING_ANSWER', 'CONFLICTING_ANSWER']);
    const nested = findDuplicates([ask('q1', 'anna berg of fenmoor'), ask('q2', 'anna berg')], near);
    expect([...nested]).toEqual([[0, { code: 'DUPLICATE_PAIR', evidence: { kept: 'q2' } }]]);
    const equal = findDuplicates(
      [ask('q9', 'anna'), { ...ask('q3', 'anna'), question: 'who built the old bridge' }],
      near,
    );
    expect([...equal.keys()]).toEqual([0]);
    expect(findDuplicates([ask('q1', '1911'), ask('q2', '1')], near).size).toBe(2);
  });

  test('the order of the pairs has no influence', () => {
    const stems = [
      'long the bridge of Fenmoor is',
      'long the bridge in Fenmoor is',
      'tall the tower of Arven was',
      'tall the towers of Arven was',
    ];
    const pair = fc.record({
      stem: fc.nat(3),
      answerKey: fc.constantFrom('5', '6'),
      tail: fc.constantFrom('', ' today', ' now'),
    });
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 12 }), fc.integer(), (drawn, seed) => {
        const pairs = drawn.map(({ stem, answerKey, tail }, i) => ({
          qaId: `q${String(i).padStart(2, '0')}`,
          question: `Can you say exactly how ${stems[stem]}${tail}?`,
          answerKey,
        }));
        const stay = (list: typeof pairs): string[] => {
          const gone = findDuplicates(list, near);
          return list
            .filter((_, i) => !gone.has(i))
            .map(({ qaId }) => qaId)
            .sort();
        };
        const mixed = [...pairs].sort(
          (a, b) => ((a.qaId.charCodeAt(2) * 31 + seed) % 7) - ((b.qaId.charCodeAt(2) * 31 + seed) % 7),
        );
        expect(stay(mixed)).toEqual(stay(pairs));
      }),
    );
  });
});
