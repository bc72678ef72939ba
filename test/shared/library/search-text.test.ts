import { describe, expect, test } from 'vitest';
import { searchIndex, searchTools, type SearchRow } from '#shared/library/search.ts';
import { searchText, wordsOfParameters } from '#shared/library/text.ts';

const encoder = { id: 'none', dims: 1, embed: () => Promise.reject(new Error('never asked')) };
const row = (id: string, said: unknown): SearchRow => ({
  id,
  name: `${id}_total`,
  description: 'Total of amounts.',
  schema: { type: 'object', properties: { amount: { type: 'number', description: said } } },
  path: ['sums'],
  tags: [],
  clusterId: 'sums',
  at: [0, 0],
});

describe('the words a tool is found by', () => {
  test('are the text of the specification and what is said of its parameters', async () => {
    const rows = [
      row('t_a', 'the baker sells _ loaves at'),
      row('t_b', 'the ferry crosses _ times'),
      row('t_c', 'snow fell for _ nights'),
    ];
    expect(searchText(rows[0]!)).toBe('t a total. Total of amounts. Parameters: amount. Topic: sums.');
    const index = searchIndex(rows, new Float32Array(3), encoder);
    const found = await searchTools(
      index,
      { query: 'how often do ferries cross?', mode: 'keyword' },
      encoder,
    );
    expect(found.map(({ toolId }) => toolId)).toEqual(['t_b']);
  });

  test('schemas that say nothing, or nothing readable, add no words', () => {
    for (const schema of [
      {},
      { properties: null },
      { properties: { a: null, b: 3, c: { description: ['x'] } } },
    ])
      expect(wordsOfParameters(schema as SearchRow['schema'])).toBe('');
  });
});
