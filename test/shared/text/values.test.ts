import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dateWithin, isoDate, parseDate, scanDates } from '#shared/text/dates.ts';
import { canonicalNumber, parseNumber, scanNumbers } from '#shared/text/numbers.ts';
import { scanQuantities, sameQuantity } from '#shared/text/units.ts';
import { stem, stemsOf, wordsOf } from '#shared/text/stem.ts';

describe('numbers of English text', () => {
  it.each([
    ['1,200', 1200], ['twelve hundred', 1200], ['two hundred and five', 205], ['nine thousand nine hundred ninety-nine', 9999],
    ['1.2 million', 1_200_000], ['three million', 3_000_000], ['-1.06', -1.06], ['½', 0.5], ['2½', 2.5], ['1/4', 0.25], ['two thirds', 2 / 3], ['1e3', 1000],
  ] as const)('%s', (text, value) => expect(parseNumber(text)).toBeCloseTo(value, 12)); // prettier-ignore

  it('reads ranges without signs and words without digits', () => {
    expect(scanNumbers('aged 12-14').map((mention) => mention.value)).toEqual([12, 14]);
    expect(scanNumbers('abc123 and no one else').map((mention) => mention.value)).toEqual([1]);
    expect(parseNumber('12 km')).toBeUndefined();
  });

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.integer(), (value) => {
        expect(parseNumber(canonicalNumber(value))).toBe(value);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), (value) => {
        expect(parseNumber(value.toLocaleString('en-GB'))).toBe(value);
      }),
    );
  });
});

describe('quantities', () => {
  it('convert to SI', () => {
    const [km, metres] = scanQuantities('5 km or 5,000 metres');
    expect(sameQuantity(km!, metres!)).toBe(true);
    const [celsius, fahrenheit] = scanQuantities('100 °C is 212 °F');
    expect(sameQuantity(celsius!, fahrenheit!)).toBe(true);
    const [power, money] = scanQuantities('5 MW for $5');
    expect([power!.si, power!.unit!.dimension, money!.unit!.dimension]).toEqual([5e6, 'power', 'money:usd']);
  });
});

describe('dates', () => {
  it.each([
    ['3 May 1911', '1911-05-03'], ['May 3, 1911', '1911-05-03'], ['5/3/1911', '1911-05-03'], ['1911-05-03', '1911-05-03'],
    ['May 1911', '1911-05'], ['1911', '1911'], ['300 BC', '-0300'], ['the 1960s', '1960s'], ['19th century', 'c19'], ['6 December', '--12-06'],
  ])('%s is %s', (text, iso) => expect(isoDate(parseDate(text)!)).toBe(iso)); // prettier-ignore

  it('are not numbers with separators, nor impossible days', () => {
    expect(scanDates('1,911 people and 2,764 m')).toEqual([]);
    expect(scanDates('1911-13-45').map(isoDate)).not.toContain('1911-13-45');
    expect(dateWithin({ year: 1911 }, { year: 1911, month: 5 })).toBe(true);
    expect(dateWithin({ year: 1911, month: 5 }, { year: 1911 })).toBe(false);
  });
});

describe('any text', () => {
  it('has mentions in order, inside it and equal to their stretch', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'grapheme' }),
          fc
            .array(
              fc.constantFrom(
                '1',
                ',',
                '.',
                ' ',
                'two',
                'hundred',
                '-',
                '/',
                '$',
                'km',
                'May',
                '1911',
                '½',
                '(',
                '%',
              ),
            )
            .map((parts) => parts.join('')),
        ),
        (text) => {
          for (const mention of [...scanNumbers(text), ...scanQuantities(text), ...scanDates(text)]) {
            expect(text.slice(mention.start, mention.end)).toBe(mention.text);
          }
          for (const word of wordsOf(text)) expect(text.slice(word.start, word.end)).toBe(word.text);
          stemsOf(text);
        },
      ),
    );
  });
});

describe('stems', () => {
  it('join the forms of a word', () => {
    expect(stem('bridges')).toBe(stem('bridge'));
    expect(stemsOf("Orland's railways")).toEqual(['orland', 'railwai']);
  });
});
