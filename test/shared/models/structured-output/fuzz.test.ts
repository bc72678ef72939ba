import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guardEscapes } from '#shared/models/structured-output/escape-guard.ts';
import { repairJson } from '#shared/models/structured-output/repair.ts';
import { decodeOutput } from '#shared/models/structured-output.ts';
import type { InferRequest } from '#shared/models/types.ts';

const request = (latex: boolean): InferRequest => ({
  id: 'r',
  role: { name: 'a/b', version: '1' },
  model: 'm',
  messages: [],
  output: { name: 'o', schema: {}, latex },
});
const decode = (text: string, latex = true) =>
  decodeOutput({ text, finish: 'stop' }, request(latex), { provider: 'openai' });

/** JSON-like noise: what a model writes when it writes JSON badly. */
const noise = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ':',
        ',',
        '"',
        "'",
        '\\',
        '\n',
        ' ',
        '```',
        '```json\n',
        '<think>',
        '</think>',
        '"a"',
        "'b'",
        'True',
        'None',
        'NaN',
        '007',
        '1',
        '\\frac',
        '\\nu',
        '\\u12',
        '$',
        '/*',
        '…',
      ),
      fc.string({ maxLength: 6 }),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''));

/** Every string in a value, keys too. */
function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, item]) => [
    ...(Array.isArray(value) ? [] : [key]),
    ...strings(item),
  ]);
}

describe('structured output, fuzzed', () => {
  it('[model-inference 16] never throws', () => {
    fc.assert(
      fc.property(noise, fc.boolean(), (text, latex) => void decode(text, latex)),
      { numRuns: 4000 },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => void decode(text)),
      { numRuns: 1000 },
    );
  });

  it('passes valid JSON through unchanged', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('', ' ', '\n'), (value, space) => {
        const exact = JSON.parse(JSON.stringify(value)) as unknown;
        fc.pre(JSON.stringify(exact) !== '""');
        expect(decode(space + JSON.stringify(exact) + space, false)).toMatchObject({
          ok: true,
          output: exact,
          repairs: [],
        });
      }),
      { numRuns: 2000 },
    );
  });

  it('leaves every JSON without TeX-like escapes alone, and is idempotent', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/\\[bfnrt]/.test(text));
        expect(guardEscapes(text)).toEqual({ text, doubled: 0 });
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(noise, (text) => {
        const once = guardEscapes(text).text;
        expect(guardEscapes(once).text).toBe(once);
      }),
      { numRuns: 3000 },
    );
  });

  it('[model-inference 16] never invents: repaired strings are in the source, character by character', () => {
    fc.assert(
      fc.property(noise, (text) => {
        const repaired = repairJson(text);
        if (!repaired) return;
        expect(Array.isArray(repaired.value)).toBe(text.trim().startsWith('['));
        for (const string of strings(repaired.value)) {
          for (const char of string)
            expect(text.includes(char) || /[\b\f\n\r\t"\\/]/.test(char) || text.includes('\\u')).toBe(true);
        }
      }),
      { numRuns: 4000 },
    );
  });

  it('repairs exactly what was spoilt', () => {
    const plain = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'é', '"', ':', ',', '{', ']', '\n') });
    fc.assert(
      fc.property(
        fc.dictionary(plain, fc.oneof(plain, fc.boolean(), fc.constant(null), fc.integer()), {
          minKeys: 1,
          maxKeys: 5,
        }),
        (value) => {
          const spoilt = Object.entries(value)
            .map(([key, item]) => {
              const quote = (text: string): string => `'${text.replaceAll('"', '\\"')}'`;
              const python =
                item === true ? 'True' : item === false ? 'False' : item === null ? 'None' : String(item);
              return `${quote(key)}: ${typeof item === 'string' ? quote(item) : python}`;
            })
            .join(', ');
          expect(repairJson(`{${spoilt},}`)?.value).toEqual({ ...value });
        },
      ),
      { numRuns: 1500 },
    );
  });
});
