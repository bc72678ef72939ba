import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { invalidUtf8At, scanLines, type ScannedLine } from '#shared/text/lines.ts';

async function* chunksOf(bytes: Uint8Array, sizes: number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % Math.max(1, sizes.length)] ?? 7);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function scan(
  bytes: Uint8Array,
  sizes: number[],
  options: Partial<Parameters<typeof scanLines>[1]> = {},
): Promise<ScannedLine[]> {
  const lines: ScannedLine[] = [];
  for await (const line of scanLines(chunksOf(bytes, sizes), { maxBytes: 1000, ...options }))
    lines.push(line);
  return lines;
}

describe('scanLines', () => {
  test('any cut of the stream gives the same lines and offsets', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('a', 'bb', '\n', '\u00e9', '')),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }),
        async (parts, sizes) => {
          const text = parts.join('');
          const bytes = Buffer.from(text);
          const lines = await scan(bytes, sizes);
          const expected = text.split('\n');
          if (expected.at(-1) === '') expected.pop();
          expect(lines.map((line) => Buffer.from(line.bytes!).toString())).toEqual(expected);
          for (const line of lines)
            expect(bytes.subarray(line.byteStart, line.byteEnd)).toEqual(Buffer.from(line.bytes!));
        },
      ),
    );
  });

  test('ranges partition a file: a line belongs where it starts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('x', 'yy', '\n')),
        fc.integer({ min: 1, max: 9 }),
        async (parts, size) => {
          const bytes = Buffer.from(parts.join(''));
          const whole = await scan(bytes, [3]);
          const found: number[] = [];
          for (let start = 0; start < bytes.length; start += size) {
            const from = Math.max(0, start - 1);
            const options = { start: from, end: start + size, skipFirst: start > 0 };
            for (const line of await scan(bytes.subarray(from), [2], options)) found.push(line.byteStart);
          }
          expect(found).toEqual(whole.map(({ byteStart }) => byteStart));
        },
      ),
    );
  });

  test('a line over the limit is passed over, not held', async () => {
    const bytes = Buffer.from(`ok\n${'z'.repeat(5000)}\nlast`);
    const lines = await scan(bytes, [64]);
    expect(lines.map(({ bytes: held, byteStart, byteEnd }) => [held?.length, byteStart, byteEnd])).toEqual([
      [2, 0, 2],
      [undefined, 3, 5003],
      [4, 5004, 5008],
    ]);
  });
});

test('invalidUtf8At finds the first bad byte, as the platform decoder judges', () => {
  expect(invalidUtf8At(Buffer.from('abc\u00e9\u{1f600}'))).toBe(-1);
  expect(invalidUtf8At(Uint8Array.of(0x61, 0xc0, 0xaf))).toBe(1);
  expect(invalidUtf8At(Uint8Array.of(0x61, 0x62, 0xe2, 0x82))).toBe(2);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      const at = invalidUtf8At(bytes);
      if (at < 0) expect(() => decoder.decode(bytes)).not.toThrow();
      else {
        expect(() => decoder.decode(bytes)).toThrow();
        expect(() => decoder.decode(bytes.subarray(0, at))).not.toThrow();
      }
    }),
  );
});
