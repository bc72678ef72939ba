import { describe, expect, test } from 'vitest';
import { evaluateRetrieval, maskNumbers } from '#shared/library/evaluation.ts';
import { searchIndex } from '#shared/library/search.ts';

/** A library of twelve tools. */
const twelve = searchIndex(
  Array.from({ length: 12 }, (_, place) => ({
    id: `t_${place}`,
    name: `tool_${place}`,
    description: '',
    schema: { type: 'object', properties: {} },
    path: [],
    tags: [],
    clusterId: '',
    at: [0, 0],
  })),
  new Float32Array(12),
  { id: 'none', dims: 1 },
);

describe('measuring retrieval', () => {
  test('recall, found and MRR by their definitions, over masked questions', async () => {
    const asked: string[] = [];
    const ranking: Record<string, string[]> = {
      'first # question': ['a', 'b', 'c'],
      'second # question': ['x', 'y', 'z', 'u', 'v', 'd', 'e'],
      last: ['x'],
    };
    const scores = await evaluateRetrieval(
      twelve,
      [
        { question: 'first 12 question', relevant: new Set(['a', 'c']) },
        { question: 'second twelve question', relevant: new Set(['d', 'e', 'f', 'g']) },
        { question: 'last', relevant: new Set(['a']) },
      ],
      { id: 'none', dims: 1, embed: () => Promise.reject(new Error('never asked')) },
      {
        search: (query) => {
          asked.push(query);
          return Promise.resolve(ranking[query]!);
        },
      },
    );
    expect(asked).toEqual(Object.keys(ranking));
    expect(scores.questions).toBe(3);
    expect(scores.relevant).toEqual({ mean: 7 / 3, most: 4 });
    expect(scores.recall.at1).toBeCloseTo(0.5 / 3, 12);
    expect(scores.recall.at5).toBeCloseTo(1 / 3, 12);
    expect(scores.recall.at10).toBeCloseTo((1 + 0.5) / 3, 12);
    expect(scores.found).toEqual({ at1: 1 / 3, at5: 1 / 3, at10: 2 / 3 });
    expect(scores.mrr).toBeCloseTo((1 + 1 / 6) / 3, 12);
    // Two, four and one relevant tools: the first place holds a half, a quarter and all of them.
    expect(scores.bound.at1).toBeCloseTo((1 / 2 + 1 / 4 + 1) / 3, 12);
    expect(scores.bound.at5).toBe(1);
    // One draw of twelve; with ten draws only two are left out.
    expect(scores.chance.at1).toBeCloseTo((2 + 4 + 1) / 12 / 3, 12);
    expect(scores.chance.at10).toBeCloseTo((1 - 1 / 66 + 1 + 10 / 12) / 3, 12);
  });

  test('without questions everything is 0', async () => {
    const none = { at1: 0, at5: 0, at10: 0 };
    const index = searchIndex([], new Float32Array(0), { id: 'none', dims: 1 });
    const encoder = { id: 'none', dims: 1, embed: () => Promise.resolve([]) };
    expect(await evaluateRetrieval(index, [], encoder)).toEqual({
      questions: 0,
      relevant: { mean: 0, most: 0 },
      recall: none,
      bound: none,
      found: none,
      chance: none,
      mrr: 0,
    });
  });

  test('masks numbers, money, shares and number words, nothing else', () => {
    expect(
      maskNumbers('Ann has $1,250.50, a half and 20% of 3/4 dozens; someone tends the weighted one.'),
    ).toBe('Ann has #, a # and # of # #; someone tends the weighted #.');
  });
});
