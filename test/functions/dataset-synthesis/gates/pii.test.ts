import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findPii, ibanValid, luhn } from '#functions/dataset-synthesis/gates/pii.ts';

const kinds = (text: string): string[] => findPii(text).map((hit) => hit.kind);

describe('personal data', () => {
  it.each([
    ['Write to jo.berg+x@thorne.org today', ['email']],
    ['Call +44 20 7946 0958 or (202) 223-4942', ['phone', 'phone']],
    ['Pay into DE89 3704 0044 0532 0130 00 please', ['iban']],
    ['The card 4111 1111 1111 1111 was used', ['card']],
    ['Seen from 93.184.216.34 last night', ['ip']],
  ])('%s', (text, expected) => expect(kinds(text)).toEqual(expected));

  it.each([
    'A population of 2,551,837 and an area of 28,748 sq km in 2025',
    'Kept at user@example.com and 192.168.0.1, version 1.2.3.4567',
    'The card 4111 1111 1111 1112 fails its check digit',
    'From 1914-1918 and 1939-1945, at 41 19 N, 19 49 E',
    'Opened on 2021-05-04 at 10:30:15',
  ])('finds none in: %s', (text) => expect(kinds(text)).toEqual([]));

  it('checks Luhn and IBAN digits', () => {
    expect(luhn('79927398713')).toBe(true);
    expect(luhn('79927398710')).toBe(false);
    expect(ibanValid('GB82 WEST 1234 5698 7654 32')).toBe(true);
    expect(ibanValid('GB82 WEST 1234 5698 7654 33')).toBe(false);
  });

  it('finds any card number that passes Luhn', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[3-6]\d{14}$/), (digits) => {
        const check = [...'0123456789'].find((digit) => luhn(digits + digit))!;
        expect(kinds(`Card ${digits}${check} it is`)).toContain('card');
      }),
    );
  });

  it('reads any text without repeating it', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const hit of findPii(text)) expect(hit.start + hit.length).toBeLessThanOrEqual(text.length);
      }),
    );
  });
});
