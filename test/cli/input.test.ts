import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { applySet, mergeInput, readInput, uploadLocalFiles, whyUnreadable } from '#cli/input.ts';
import { parseBudget } from '#cli/jobs-flow.ts';
import type { Json } from '#shared/storage/ports.ts';

describe('--set', () => {
  const set = (assignment: string, input: { [key: string]: Json } = {}) => {
    applySet(input, assignment);
    return input;
  };

  test('descends, makes lists for numbers and reads JSON values', () => {
    expect(set('personas.max=2')).toEqual({ personas: { max: 2 } });
    expect(set('sources.0.uri=a.jsonl')).toEqual({ sources: [{ uri: 'a.jsonl' }] });
    expect(set('languages=["en"]')).toEqual({ languages: ['en'] });
    expect(set('title=true story')).toEqual({ title: 'true story' });
    expect(set('a.b=1', { a: { c: 2 } })).toEqual({ a: { c: 2, b: 1 } });
    expect(set('x=a=b')).toEqual({ x: 'a=b' });
  });

  test.each(['novalue', '=1', 'a..b=1', '__proto__.x=1', 'a.constructor.x=1'])('refuses %s', (assignment) => {
    expect(() => set(assignment)).toThrow(/--set/);
  });

  test('refuses an index past the end of a list', () => {
    expect(() => set('list.5=1', { list: [] })).toThrow(/no index/);
  });

  test('never touches a prototype and sets what it says', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-zA-Z_]{1,8}$/), { minLength: 1, maxLength: 4 }),
        fc.jsonValue(),
        (path, value) => {
          fc.pre(!path.some((name) => ['__proto__', 'constructor', 'prototype'].includes(name)));
          const input: { [key: string]: Json } = {};
          applySet(input, `${path.join('.')}=${JSON.stringify(value)}`);
          const got = path.reduce<unknown>((node, name) => (node as Record<string, unknown>)[name], input);
          expect(got).toEqual(JSON.parse(JSON.stringify(value)));
          expect(({} as Record<string, unknown>)[path[0]!] ?? undefined).toBe(
            (Object.prototype as unknown as Record<string, unknown>)[path[0]!],
          );
        },
      ),
    );
  });
});

describe('inputs', () => {
  test('are one JSON object; anything else says what is wrong', () => {
    expect(readInput('-', () => '{"a":1}')).toEqual({ a: 1 });
    expect(() => readInput('-', () => '[1]')).toThrow(/one JSON object/);
    expect(() => readInput('-', () => '{')).toThrow(/stdin is not JSON/);
    expect(() => readInput('/nowhere/x.json', () => '')).toThrow(
      /--input \/nowhere\/x\.json: there is no such file/,
    );
  });

  test.each([
    ['ENOENT', /no such file/],
    ['EISDIR', /a folder, not a file/],
    ['EACCES', /may not be read/],
    ['EIO', /^i\/o error$/],
  ])('that cannot be read say why: %s', (code, words) => {
    expect(whyUnreadable(Object.assign(new Error('i/o error'), { code }))).toMatch(words);
  });

  test('merge objects deeply and replace everything else', () => {
    expect(mergeInput({ a: { b: 1, c: [1] }, d: 1 }, { a: { c: [2] }, e: null })).toEqual({
      a: { b: 1, c: [2] },
      d: 1,
      e: null,
    });
  });
});

describe('local files in an input', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'agentmill-cli-'));
    writeFileSync(join(dir, 'a.jsonl'), '{}\n');
    mkdirSync(join(dir, 'folder/inner'), { recursive: true });
    writeFileSync(join(dir, 'folder/b.txt'), 'b');
    writeFileSync(join(dir, 'folder/inner/c.md'), 'c');
    writeFileSync(join(dir, 'folder/.hidden'), 'h');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const upload = {
    file: (path: string): Promise<string> => Promise.resolve(`up/${path.slice(dir.length + 1)}`),
    folder: (paths: string[]): Promise<string> =>
      Promise.resolve(`up/${paths.map((path) => path.slice(dir.length + 1)).join('+')}/`),
  };

  test('are uploaded once; folders become prefixes; keys stay', async () => {
    const input = await uploadLocalFiles(
      {
        sources: [
          { uri: 'a.jsonl', format: 'jsonl' },
          { uri: 'folder' },
          { uri: 'ingest/x/elsewhere.jsonl' },
        ],
        benchmarks: [{ name: 'a.jsonl', uri: 's3://bucket/a.jsonl' }],
      },
      upload,
      dir,
    );
    expect(input).toEqual({
      sources: [
        { uri: 'up/a.jsonl', format: 'jsonl' },
        { uri: 'up/folder/b.txt/' },
        { uri: 'up/folder/inner/c.md/' },
        { uri: 'ingest/x/elsewhere.jsonl' },
      ],
      benchmarks: [{ name: 'a.jsonl', uri: 's3://bucket/a.jsonl' }],
    });
  });

  test('a path that is meant but missing is named', async () => {
    await expect(uploadLocalFiles({ sources: [{ uri: './missing.jsonl' }] }, upload, dir)).rejects.toThrow(
      /\.\/missing\.jsonl: there is no such file/,
    );
  });
});

test('budgets are US dollars', () => {
  expect([parseBudget(undefined), parseBudget('2.5'), parseBudget('$0.01')]).toEqual([
    undefined,
    { usd: 2.5 },
    { usd: 0.01 },
  ]);
  for (const text of ['', ' ', '$', 'much', '-1', 'Infinity', '1,5']) {
    expect(() => parseBudget(text)).toThrow(/--budget .*give US dollars, such as 2\.50/);
  }
});
