import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ingest, type ShardPointer, type ShardRow } from '#functions/tool-library/ingest/ingest.ts';
import { readRow } from '#functions/tool-library/ingest/rows.ts';
import { allRows } from '#functions/tool-library/io.ts';
import { keys } from '#functions/tool-library/keys.ts';
import type { Reject } from '#functions/tool-library/records.ts';
import { isWellFormed, wellFormed } from '#shared/determinism/well-formed.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { configFor, contextOf } from './shard-loop.ts';

const problem = (n: number) => ({
  question: `Question ${n}?`,
  reasoning: `<<${n}*2=${2 * n}>>`,
  answer: `${2 * n}`,
});
const HALF = '\ud800';

describe('Ingest', () => {
  let world: TestRuntime;
  beforeAll(async () => {
    world = await embeddedRuntime();
  });
  afterAll(() => world?.close());

  async function ingested(body: string | Uint8Array, input: Record<string, unknown> = {}) {
    const { artifacts } = world.runtime;
    await artifacts.put('in/rows.jsonl', body);
    const config = configFor({ source: 'in/rows.jsonl', ...input });
    const { index, ...counts } = await ingest(contextOf(world.runtime), config);
    const shards = await allRows<ShardPointer>(artifacts, index);
    const rows = await Promise.all(shards.map(({ ref }) => allRows<ShardRow>(artifacts, ref)));
    return {
      counts,
      rows: rows.map((shard) => shard.map(({ row }) => row)),
      rejects: await allRows<Reject>(artifacts, keys.rejects(config.jobId, 'ingest', 0)),
    };
  }

  test('a byte order mark, Windows line ends, blank lines and no newline at the end are read', async () => {
    const lines = [problem(1), problem(2)].map((row) => JSON.stringify(row));
    const { counts, rows } = await ingested(`\ufeff${lines[0]!}\r\n\r\n  \r\n${lines[1]!}`);
    expect(counts).toEqual({ shards: 1, problems: 2, tools: 0, duplicates: 0, rejects: 0 });
    expect(rows[0]!.map(({ line }) => line)).toEqual([1, 4]);
  });

  test('every line that is no row has its code, its number and where it lies; none ends the job', async () => {
    const lines = [
      'no JSON',
      '[1]',
      'null',
      '{}',
      JSON.stringify({ ...problem(1), question: HALF }),
      '{"question": "How many?", "reasoning": "1", "answer": 1e999}',
      JSON.stringify({ ...problem(1), reasoning: 'x'.repeat(262_144) }),
      JSON.stringify({ ...problem(1), question: '  ' }),
      JSON.stringify(problem(1)),
    ];
    const bad = Buffer.concat([Buffer.from(`${lines.join('\n')}\n`), Buffer.from([0x22, 0xff, 0x22, 0x0a])]);
    const { counts, rejects } = await ingested(bad);
    expect(counts).toMatchObject({ problems: 1, rejects: 9 });
    expect(rejects.map(({ itemId, code }) => [itemId, code])).toEqual([
      ['line-1', 'BAD_ROW'],
      ['line-2', 'BAD_ROW'],
      ['line-3', 'BAD_ROW'],
      ['line-4', 'FIELD_MISSING'],
      ['line-5', 'BAD_ROW'],
      ['line-6', 'BAD_ROW'],
      ['line-7', 'TOO_LARGE'],
      ['line-8', 'FIELD_MISSING'],
      ['line-10', 'BAD_ROW'],
    ]);
    expect(new Set(rejects.map(({ evidence }) => evidence))).toEqual(new Set(['in/rows.jsonl']));
    expect((await ingested('')).counts).toEqual({
      shards: 0,
      problems: 0,
      tools: 0,
      duplicates: 0,
      rejects: 0,
    });
  });

  test('equal rows are one, whatever their ids; equal ids are told apart, and never become the id of another', async () => {
    const ids = ['x', 'x', 'x_2', 'x_2', 'x', '../x', undefined];
    const own = ids.map((id, n) => JSON.stringify({ ...problem(n), ...(id === undefined ? {} : { id }) }));
    const { rows, counts } = await ingested([...own, JSON.stringify({ ...problem(0), id: 'y' })].join('\n'));
    expect(counts).toMatchObject({ problems: 7, duplicates: 1 });
    const given = rows[0]!.map(({ id }) => id);
    expect(given.slice(0, 5)).toEqual(['x', 'x_2', 'x_2_2', 'x_2_3', 'x_3']);
    expect(new Set(given).size).toBe(7);
    for (const id of given.slice(5)) expect(id).toMatch(/^p_[0-9a-f]{16}$/);
  });

  test('shards of 50, and only so many rows as asked for', async () => {
    const lines = Array.from({ length: 120 }, (_, n) => JSON.stringify(problem(n))).join('\n');
    expect((await ingested(lines)).rows.map(({ length }) => length)).toEqual([50, 50, 20]);
    expect((await ingested(lines, { limit: 70 })).rows.map(({ length }) => length)).toEqual([50, 20]);
  });
});

describe('a row', () => {
  const read = (row: unknown, format: 'auto' | 'tools' | 'problems' = 'auto') =>
    readRow(row as never, 3, { format, fields: {} });
  const tool = { question: 'Q?', answer: 3, code: 'def f(a):\n    return a', call: 'f(3)' };

  test('with code is a tool, be the code as it may: what is wrong with it is said of the tool', () => {
    for (const code of ['', 5, ['def f(): pass']]) {
      expect(read({ ...tool, code })).toMatchObject({
        reject: { code: 'FIELD_MISSING', message: expect.stringContaining('code') as string },
      });
    }
    expect(read({ ...tool, call: 4 })).toMatchObject({
      reject: { message: 'Line 3: call is empty or not of its type; give text.' },
    });
    expect(read(tool, 'problems')).toMatchObject({ reject: { code: 'FIELD_MISSING' } });
    expect(read({ question: 'Q?', answer: 3 }, 'tools')).toMatchObject({
      reject: { message: expect.stringContaining('has no code') as string },
    });
  });

  test("a tool's answer may be any JSON, null too; a problem's may not", () => {
    for (const answer of [null, false, 0, [], {}, 'x', [1, { a: null }]]) {
      expect(read({ ...tool, answer })).toMatchObject({ kind: 'tool', row: { answer } });
    }
    expect(read({ ...tool, answer: null, gold: 4 })).toMatchObject({ row: { answer: 4 } });
    for (const answer of ['', '  ']) expect(read({ ...tool, answer })).toMatchObject({ kind: 'reject' });
    expect(read({ question: 'Q?', reasoning: 'so', answer: null })).toMatchObject({ kind: 'reject' });
  });

  test('of a list of reasonings the first that can be read counts', () => {
    const [prose, wrong, right] = ['I just know.', 'It is <<2*3=7>>7.', 'It is <<2*3=6>>6.'];
    const reasoningOf = (reasoning: unknown) =>
      (read({ question: 'Q?', answer: '6', reasoning }) as { row: { reasoning: string } }).row.reasoning;
    expect(reasoningOf([prose, wrong, right])).toBe(right);
    expect(reasoningOf([prose, { text: right }])).toBe(right);
    expect(reasoningOf([prose, 'a = 2\nprint(a * 3)'])).toContain('print');
    expect(reasoningOf([prose, wrong])).toBe(prose);
  });
});

test('what has canonical JSON, and what is made of what has none', () => {
  const bad = { [`k${HALF}`]: [1, Infinity, { a: `${HALF}b` }] };
  expect(isWellFormed(bad as never)).toBe(false);
  expect(wellFormed(bad)).toEqual({ 'k\ufffd': [1, null, { a: '\ufffdb' }] });
  const good = { a: ['🙂', 1.5, null, true] };
  expect(wellFormed(good)).toBe(good);
});
