import library from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '#shared/determinism/hash.ts';

describe('canonical JSON', () => {
  it('is what another implementation of RFC 8785 writes, for any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }), (value) => {
        expect(canonicalJson(value)).toBe(library(value));
      }),
    );
  });

  it('sorts keys by UTF-16 code units, integers too', () => {
    expect(canonicalJson({ 10: 1, 9: 2, '!': 3, '\u{1f600}': 4, '\ufb33': 5, a: undefined })).toBe(
      '{"!":3,"10":1,"9":2,"\u{1f600}":4,"\ufb33":5}',
    );
    expect(canonicalJson([undefined, -0, 1e21, new Date(0), { toJSON: () => 7 }])).toBe(
      '[null,0,1e+21,"1970-01-01T00:00:00.000Z",7]',
    );
  });

  it('refuses what has no form', () => {
    const circular: Record<string, unknown> = {};
    circular.self = { circular };
    for (const value of [undefined, NaN, [Infinity], 1n, { a: '\ud800' }, { '\udc00': 1 }, circular, () => 1])
      expect(() => canonicalJson(value)).toThrow(TypeError);
    const twice = { a: 1 };
    expect(canonicalJson([twice, twice])).toBe('[{"a":1},{"a":1}]');
  });
});
