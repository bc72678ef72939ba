import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '#shared/storage/ports.ts';
import { csvItems, CsvTextError } from '#local/states/maprun/csv-items.ts';
import { jsonItems } from '#local/states/maprun/json-items.ts';
import { JsonTextError } from '#local/states/maprun/json-text.ts';
import { pieces } from './storage.ts';

const size = fc.integer({ min: 1, max: 7 });

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** What `JSON.parse` makes of the whole text: its items, or undefined where it has none. */
function parsed(text: string): Json[] | undefined {
  try {
    const value = JSON.parse(text) as Json;
    if (Array.isArray(value)) return value;
    return value !== null && typeof value === 'object' ? Object.values(value) : undefined;
  } catch {
    return undefined;
  }
}

describe('hostile bytes', () => {
  it('JSON read in pieces is what JSON.parse makes of it', async () => {
    const space = fc.constantFrom('', ' ', '\n\t', '  ');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 6 }), space, size, async (items, gap, step) => {
        const text = `${gap}[${items.map((item) => gap + JSON.stringify(item, null, gap.length) + gap).join(',')}]${gap}`;
        const read = await collect(jsonItems(pieces(Buffer.from(text), step)));
        expect(read.map(({ value }) => value)).toEqual(JSON.parse(text));
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('any text gives the items of JSON.parse, or an error of ours', async () => {
    const token = fc.constantFrom(
      '[',
      ']',
      '{',
      '}',
      ',',
      ':',
      '"',
      '\\',
      '1',
      '-',
      'null',
      'true',
      '"a"',
      ' ',
      '\n',
      '\\"',
      'é',
    );
    const text = fc.oneof(
      fc.array(token, { maxLength: 14 }).map((tokens) => tokens.join('')),
      fc.string({ unit: 'binary' }),
      fc.json().map((json) => json.slice(0, -1)),
    );
    await fc.assert(
      fc.asyncProperty(text, size, async (body, step) => {
        const expected = parsed(body);
        const bytes = Buffer.from(body);
        // Lone surrogates do not survive encoding, and a repeated key is one member to JSON.parse.
        if (bytes.toString() !== body) return;
        let read: Json[] | undefined;
        try {
          const items = await collect(jsonItems(pieces(bytes, step)));
          const last = new Map(items.map((item, index) => [item.key ?? index, item.value]));
          read = [...last.values()];
        } catch (error) {
          expect(error).toBeInstanceOf(JsonTextError);
        }
        if (expected === undefined) expect(read).toBe(undefined);
        else expect(new Set(read)).toEqual(new Set(expected));
      }),
      { numRuns: 1_500, seed: 2 },
    );
  });

  it('any bytes end in items or an error of ours', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), size, async (bytes, step) => {
        await collect(jsonItems(pieces(bytes, step))).catch((error: unknown) =>
          expect(error).toBeInstanceOf(JsonTextError),
        );
        await collect(csvItems(pieces(bytes, step))).catch((error: unknown) =>
          expect(error).toBeInstanceOf(CsvTextError),
        );
      }),
      { numRuns: 500, seed: 3 },
    );
  });

  it('CSV written by the rules is read back', async () => {
    const field = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', 'é'), maxLength: 6 });
    const rows = fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 5 });
    const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
    await fc.assert(
      fc.asyncProperty(rows, size, async (all, step) => {
        const text = all.map((row) => row.map(quoted).join(',')).join('\r\n');
        const read = await collect(csvItems(pieces(Buffer.from(text), step), { headers: ['x', 'y'] }));
        expect(read.map(({ value }) => Object.values(value as object))).toEqual(all);
      }),
      { numRuns: 300, seed: 4 },
    );
  });

  it('refuses a single value or row beyond what memory should hold', async () => {
    async function* endless(start: string): AsyncGenerator<Uint8Array> {
      yield Buffer.from(start);
      for (;;) yield Buffer.alloc(1 << 20, 0x61);
    }
    await expect(collect(jsonItems(endless('["')))).rejects.toThrow(JsonTextError);
    await expect(collect(csvItems(endless('"')))).rejects.toThrow(CsvTextError);
  });
});
