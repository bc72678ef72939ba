import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '#shared/storage/ports.ts';
import { MapRunFailure, readerOptions, type ReaderOptions } from '#local/states/maprun/index.ts';
import { DISTRIBUTED, machine, map, scope, stateOf } from '../language/definitions.ts';
import { BUCKET, getObject, listObjects, openBuckets, readAll, type Buckets } from './storage.ts';

let buckets: Buckets;
beforeAll(async () => {
  buckets = await openBuckets();
});
afterAll(() => buckets.close());

const at = (key: string): Json => ({ Bucket: BUCKET, Key: key });
const under = (prefix?: string): Json => ({
  Bucket: BUCKET,
  ...(prefix === undefined ? {} : { Prefix: prefix }),
});
const values = async (options: ReaderOptions, evaluated: Json): Promise<Json[]> =>
  (await readAll(buckets, options, evaluated)).map(({ value }) => value);

async function failure(options: ReaderOptions, evaluated: Json): Promise<MapRunFailure> {
  try {
    await readAll(buckets, options, evaluated);
  } catch (error) {
    if (error instanceof MapRunFailure) return error;
    throw error;
  }
  throw new Error('Reading did not fail.');
}

describe('openItems', () => {
  it('reads CSV with its own header (data of [embedded-platform 28])', async () => {
    await buckets.put('a.csv', 'id,name\n1,x\n2,"y,z"');
    const items = await readAll(buckets, getObject({ inputType: 'CSV' }), at('a.csv'));
    expect(items.map(({ value }) => value)).toEqual([
      { id: '1', name: 'x' },
      { id: '2', name: 'y,z' },
    ]);
    expect(items[1]).toMatchObject({ index: 1, source: 's3://data/a.csv' });
  });

  it('reads JSONL, passing over blank lines (data of [embedded-platform 29])', async () => {
    await buckets.put('a.jsonl', '\uFEFF{"n":1}\r\n\n  \n{"n":2}\n{"n":3}');
    expect(await values(getObject({ inputType: 'JSONL' }), at('a.jsonl'))).toEqual([
      { n: 1 },
      { n: 2 },
      { n: 3 },
    ]);
    expect(await values(getObject({ inputType: 'JSONL', maxItems: 1 }), at('a.jsonl'))).toEqual([{ n: 1 }]);
  });

  it('reads a JSON array, an object, and a dataset within one', async () => {
    await buckets.put('a.json', '{"x":{"list":[1,"two",[3],{"four":4}],"a/b":{"k":1,"l":[2]}},"y":0}');
    const json = (itemsPointer: string) =>
      values(getObject({ inputType: 'JSON', itemsPointer }), at('a.json'));
    expect(await json('/x/list')).toEqual([1, 'two', [3], { four: 4 }]);
    expect(await json('/x/list/2')).toEqual([3]);
    const pointed = getObject({ inputType: 'JSON', itemsPointer: '/x/a~1b' });
    const members = await readAll(buckets, pointed, at('a.json'));
    expect(members.map(({ key, value }) => [key, value])).toEqual([
      ['k', 1],
      ['l', [2]],
    ]);
    const whole = await readAll(buckets, getObject({ inputType: 'JSON' }), at('a.json'));
    expect(whole.map(({ key }) => key)).toEqual(['x', 'y']);
  });

  it('stops at MaxItems without reading on', async () => {
    await buckets.put('broken-later.json', '[1,2,oops');
    expect(await values(getObject({ inputType: 'JSON', maxItems: 2 }), at('broken-later.json'))).toEqual([
      1, 2,
    ]);
    expect((await failure(getObject({ inputType: 'JSON' }), at('broken-later.json'))).error).toBe(
      'States.ItemReaderFailed',
    );
  });

  it('lists objects in key order, over several pages', async () => {
    for (let n = 0; n < 1_005; n++) await buckets.put(`list/${String(n).padStart(4, '0')}`, 'x');
    const items = await readAll(buckets, listObjects(), under('list/'));
    expect(items).toHaveLength(1_005);
    expect(items[1]?.value).toMatchObject({ Key: 'list/0001', Size: 1, StorageClass: 'STANDARD' });
    const { Etag, LastModified } = items[1]!.value as { Etag: string; LastModified: number };
    expect(Etag).toMatch(/^"[^"]+"$/);
    expect(Math.abs(LastModified - Date.now() / 1000)).toBeLessThan(3_600);
    expect(await values(listObjects(), under('none/'))).toEqual([]);
  });

  it('loads and flattens listed objects in key order', async () => {
    await buckets.put('flat/2.jsonl', '{"n":3}');
    await buckets.put('flat/1.jsonl', '{"n":1}\n{"n":2}');
    const flatten = listObjects({ transformation: 'LOAD_AND_FLATTEN', inputType: 'JSONL' });
    const items = await readAll(buckets, flatten, under('flat/'));
    expect(items.map(({ value }) => value)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(items.map(({ source }) => source)).toEqual([
      's3://data/flat/1.jsonl',
      's3://data/flat/1.jsonl',
      's3://data/flat/2.jsonl',
    ]);
  });

  it('goes on after any item, whatever is read', async () => {
    await buckets.put('r/1.csv', 'a,b\n1,2\n3,4\n');
    await buckets.put('r/2.csv', 'a,b\n5,6\n');
    await buckets.put('r/3.csv', 'a,b\n');
    await buckets.put('r/4.csv', 'a,b\n7,8\n9,10\n');
    await buckets.put('c.json', '{"d":[1,2,3,4]}');
    const cases: [ReaderOptions, Json][] = [
      [getObject({ inputType: 'CSV' }), at('r/4.csv')],
      [getObject({ inputType: 'JSON', itemsPointer: '/d', maxItems: 3 }), at('c.json')],
      [getObject({ inputType: 'JSONL' }), at('a.jsonl')],
      [listObjects({ maxItems: 3 }), under('r/')],
      [listObjects({ transformation: 'LOAD_AND_FLATTEN', inputType: 'CSV' }), under('r/')],
    ];
    for (const [options, evaluated] of cases) {
      const all = await readAll(buckets, options, evaluated);
      expect(all.length).toBeGreaterThan(1);
      for (const [index, item] of all.entries()) {
        const cursor = JSON.parse(JSON.stringify(item.cursor)) as typeof item.cursor;
        const rest = await readAll(buckets, options, evaluated, cursor);
        expect(rest).toEqual(all.slice(index + 1));
      }
    }
  });

  it('does not go on in an object that has changed', async () => {
    await buckets.put('changing.jsonl', '1\n2\n3');
    const options = getObject({ inputType: 'JSONL' });
    const [first] = await readAll(buckets, options, at('changing.jsonl'));
    await buckets.put('changing.jsonl', '4\n5\n6');
    await expect(readAll(buckets, options, at('changing.jsonl'), first!.cursor)).rejects.toMatchObject({
      error: 'States.ItemReaderFailed',
      cause_: 'The object s3://data/changing.jsonl has changed since reading it began',
    });
  });

  it('[embedded-platform 32] fails for an absent object, by name', async () => {
    const error = await failure(getObject({ inputType: 'JSON' }), at('absent.json'));
    expect(error.error).toBe('States.ItemReaderFailed');
    expect(error.cause_).toContain('s3://data/absent.json');
    expect(error.cause_).toContain('The specified key does not exist.');
  });

  it.each<[string, Partial<ReaderOptions>, string, string]>([
    ['text that is not JSON', { inputType: 'JSON' }, '{"a":1', 'expected'],
    ['a bare number', { inputType: 'JSON' }, '12', 'non-iterable'],
    ['no text at all', { inputType: 'JSON' }, '', 'expected a value'],
    ['rubbish after the array', { inputType: 'JSON' }, '[1] x', 'expected the end'],
    ['a missing comma', { inputType: 'JSON' }, '[1 2]', "expected ','"],
    ['a trailing comma', { inputType: 'JSON' }, '[1,]', 'in the value at'],
    [
      'a pointer to nothing',
      { inputType: 'JSON', itemsPointer: '/b' },
      '{"a":[1]}',
      "ItemsPointer '/b' is nothing",
    ],
    [
      'a pointer to text',
      { inputType: 'JSON', itemsPointer: '/a' },
      '{"a":"x"}',
      'neither an array nor an object',
    ],
    ['a line that is not JSON', { inputType: 'JSONL' }, '{"a":1}\n{"a":', 'ine 2'],
    ['an open quote', { inputType: 'CSV' }, 'a,b\n"1,2\n', 'uote'],
    ['a quote within a value', { inputType: 'CSV' }, 'a,b\n1"2,3\n', 'uote'],
  ])('fails for %s', async (_, options, body, words) => {
    await buckets.put('bad', body);
    const { error, cause_ } = await failure(getObject(options), at('bad'));
    expect(error).toBe('States.ItemReaderFailed');
    expect(cause_).toContain('s3://data/bad');
    expect(cause_).toContain(words);
  });

  it('fails for text that is not UTF-8', async () => {
    await buckets.put('latin', Buffer.from([0x5b, 0x22, 0xe9, 0x22, 0x5d]));
    for (const inputType of ['JSON', 'JSONL'] as const) {
      expect((await failure(getObject({ inputType }), at('latin'))).cause_).toContain('UTF-8');
    }
  });

  it.each<Json>([
    null,
    'x',
    {},
    { Bucket: '', Key: 'k' },
    { Bucket: BUCKET },
    { Bucket: BUCKET, Key: 1 },
    { Bucket: '../x', Key: 'k' },
  ])('fails for the arguments %j', async (evaluated) => {
    expect((await failure(getObject({ inputType: 'JSON' }), evaluated)).error).toBe(
      'States.ItemReaderFailed',
    );
  });
});

describe('CSV', () => {
  const rows = async (body: string, more: Partial<ReaderOptions> = {}): Promise<Json[]> => {
    await buckets.put('t.csv', body);
    return values(getObject({ inputType: 'CSV', ...more }), at('t.csv'));
  };

  it('takes given headers, and rows that are too short or too long', async () => {
    expect(await rows('1,2\n3\n4,5,6\n', { csvHeaders: ['a', 'b'] })).toEqual([
      { a: '1', b: '2' },
      { a: '3', b: '' },
      { a: '4', b: '5' },
    ]);
  });

  it('takes every delimiter, quotes, line ends and a byte order mark', async () => {
    for (const [name, mark] of Object.entries({
      COMMA: ',',
      PIPE: '|',
      SEMICOLON: ';',
      SPACE: ' ',
      TAB: '\t',
    })) {
      const body = `\uFEFFa${mark}b\r\n"x${mark}""q""\n"${mark}2\r\n`;
      expect(await rows(body, { csvDelimiter: name as 'COMMA' })).toEqual([{ a: `x${mark}"q"\n`, b: '2' }]);
    }
  });

  it('keeps values as text and passes over empty lines', async () => {
    expect(await rows('a\n\n 1 \n\ntrue\n')).toEqual([{ a: ' 1 ' }, { a: 'true' }]);
    expect(await rows('')).toEqual([]);
  });

  it('takes headers for what they are', async () => {
    const [row] = await rows('__proto__,constructor\n1,2\n');
    expect(JSON.stringify(row)).toBe('{"__proto__":"1","constructor":"2"}');
  });
});

describe('readerOptions', () => {
  it('evaluates every expression of a reader', async () => {
    const state = stateOf<'Map'>(
      machine({
        S: map(
          { I: { Type: 'Pass', End: true } },
          {
            ItemReader: {
              Resource: 'arn:aws:states:::s3:getObject',
              Arguments: { Bucket: '{% $states.input.b %}', Key: '{% $uppercase("k") %}' },
              ReaderConfig: {
                InputType: 'JSON',
                ItemsPointer: '{% "/" & $states.input.p %}',
                MaxItems: '{% $maxItems := 2 %}',
              },
            },
          },
          DISTRIBUTED,
        ),
      }),
    );
    expect(await readerOptions(state.distributed!.reader!, scope({ b: 'x', p: 'items' }))).toEqual({
      options: { resource: 's3:getObject', inputType: 'JSON', itemsPointer: '/items', maxItems: 2 },
      arguments: { Bucket: 'x', Key: 'K' },
    });
    await expect(readerOptions(state.distributed!.reader!, scope({ b: 'x' }))).resolves.toMatchObject({
      options: { itemsPointer: '/' },
    });
    await expect(readerOptions(state.distributed!.reader!, scope({ p: 'items' }))).rejects.toMatchObject({
      location: 'ItemReader/Arguments/Bucket',
    });
  });
});
