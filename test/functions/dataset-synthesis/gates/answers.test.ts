import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  answerKey,
  answerTypeOf,
  listItems,
  matchAnswer,
} from '#functions/dataset-synthesis/gates/answers.ts';
import { ANSWER_TYPES, DOMAINS, type AnswerType } from '#functions/dataset-synthesis/records.ts';

const typeOf = (answer: string, question = 'What is it called in Fenmoor?', hint: AnswerType = 'phrase') =>
  answerTypeOf(answer, question, hint, 'Other');

describe('answer types are recomputed', () => {
  it.each([
    ['1,200', 'number'],
    ['twelve hundred', 'number'],
    ['1.2 million', 'number'],
    ['-3.5', 'number'],
    ['5 km', 'quantity'],
    ['$27.178 billion', 'quantity'],
    ['15.5%', 'quantity'],
    ['12 counties', 'quantity'],
    ['3 May 1911', 'date'],
    ['May 1911', 'date'],
    ['Gustave Eiffel', 'name'],
    ['Ludwig van Beethoven', 'name'],
    ['fried bread cubes', 'phrase'],
    ['timber; salmon; tools', 'list'],
    ['French, Spanish, Welsh', 'list'],
    ['Trinidad and Tobago', 'name'],
    ['007', 'phrase'],
    ['yes', 'boolean'],
  ])('%s is a %s', (answer, type) => expect(typeOf(answer)).toBe(type));

  it('reads a bare year by what is asked', () => {
    expect(typeOf('1911', 'In what year did Pebble Bridge open?')).toBe('date');
    expect(typeOf('1911', 'How many steps has Pebble Bridge?')).toBe('number');
  });

  it('takes code and formulas as expressions in Math and Coding', () => {
    expect(answerTypeOf('n^2', 'What is the sum of n odd numbers?', 'phrase', 'Math')).toBe('expression');
    expect(answerTypeOf('\\alpha', 'Which symbol is it?', 'expression', 'Math')).toBe('expression');
  });
});

describe('answer keys are canonical', () => {
  it.each<[string, string, AnswerType]>([
    ['1,200', '1200', 'number'],
    ['5 km', '5,000 metres', 'quantity'],
    ['50%', '50 percent', 'quantity'],
    ['3 May 1911', 'May 3, 1911', 'date'],
    ['The Café Royal', 'cafe royal', 'name'],
    ['salmon; timber', 'timber, salmon', 'list'],
  ])('%s and %s are equal', (a, b, type) => {
    const fold = (text: string): string => text.normalize('NFD').replace(/\p{M}/gu, '');
    expect(fold(answerKey(a, type))).toBe(fold(answerKey(b, type)));
  });

  it('[dataset-synthesis 6] odd answers keep a key of their own', () => {
    expect(answerKey('007', 'phrase')).toBe('007');
    for (const answer of ['007', '3.10', '\\alpha', '🦊', 'two\nlines', '---'])
      expect(answerKey(answer, 'phrase')).not.toBe('');
  });

  it('is total, stable and never empty for text', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => text.trim() !== ''),
        fc.constantFrom(...ANSWER_TYPES),
        (answer, type) => {
          const key = answerKey(answer, type);
          expect(key).toBe(answerKey(answer, type));
          if (type !== 'list') expect(key.length).toBeGreaterThan(0);
        },
      ),
    );
  });

  it('types any text', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        fc.constantFrom(...ANSWER_TYPES),
        fc.constantFrom(...DOMAINS),
        (answer, question, hint, domain) => {
          expect(ANSWER_TYPES).toContain(answerTypeOf(answer, question, hint, domain));
          listItems(answer);
        },
      ),
    );
  });
});

describe('matchAnswer, for reward code', () => {
  const record = (answer: string, answerType: AnswerType, answerAliases: string[] = []) => ({
    answer, answerType, answerAliases, answerKey: answerKey(answer, answerType),
  }); // prettier-ignore

  it('decides by value where it can', () => {
    expect(matchAnswer(record('5 km', 'quantity'), 'about 5,000 metres')).toBe(true);
    expect(matchAnswer(record('5 km', 'quantity'), '6 km')).toBe(false);
    expect(matchAnswer(record('1,200', 'number'), 'twelve hundred')).toBe(true);
    expect(matchAnswer(record('1,200', 'number'), '1201')).toBe(false);
    expect(matchAnswer(record('3 May 1911', 'date'), '1911-05-03')).toBe(true);
    expect(matchAnswer(record('3 May 1911', 'date'), '4 May 1911')).toBe(false);
    expect(matchAnswer(record('Gustave Eiffel', 'name', ['Eiffel']), 'eiffel')).toBe(true);
    expect(matchAnswer(record('Gustave Eiffel', 'name'), 'Joseph Strauss')).toBe(false);
    expect(matchAnswer(record('salmon; timber', 'list'), 'timber and salmon')).toBe(true);
  });

  it('leaves to a judge what keys cannot decide', () => {
    expect(matchAnswer(record('5 km', 'quantity'), '5')).toBeUndefined();
    expect(matchAnswer(record('fried bread cubes', 'phrase'), 'croutons')).toBeUndefined();
    expect(matchAnswer(record('Gustave Eiffel', 'name'), 'Mr Eiffel')).toBeUndefined();
  });

  it('accepts every record its own answer, and no empty one', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }).filter((text) => text.trim() !== ''),
        fc.constantFrom(...ANSWER_TYPES),
        (answer, type) => {
          expect(matchAnswer(record(answer, type), answer)).toBe(true);
          expect(matchAnswer(record(answer, type), ' ')).toBe(false);
        },
      ),
    );
  });
});
