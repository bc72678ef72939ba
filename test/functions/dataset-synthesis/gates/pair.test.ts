import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runPairGates } from '#functions/dataset-synthesis/gates/index.ts';
import {
  ANSWER_TYPES,
  DOMAINS,
  SynthesisInputSchema,
  type AnswerType,
} from '#functions/dataset-synthesis/records.ts';
import { BRIDGE, candidate, documentOf } from './candidate.ts';

const config = SynthesisInputSchema.parse({ sources: [{ uri: 'a.jsonl' }] });
const run = (
  changes: Parameters<typeof candidate>[0],
  document = BRIDGE,
  over: Partial<typeof config> = {},
) => runPairGates(candidate(changes), document, { ...config, ...over });
const codeOf = (changes: Parameters<typeof candidate>[0], document = BRIDGE) => {
  const verdict = run(changes, document);
  return verdict.pass ? 'pass' : verdict.code;
};

describe('gates 3 to 7', () => {
  it('pass a sound pair with its type, key and the place of its evidence', () => {
    const verdict = run({});
    expect(verdict).toMatchObject({
      pass: true,
      flags: [],
      candidate: { answerType: 'date', answerKey: '1911' },
    });
    if (verdict.pass) {
      const { charStart, charEnd, quote } = verdict.candidate.span!;
      expect(BRIDGE.text.slice(charStart, charEnd)).toBe(quote);
    }
  });

  it('replace a quote that is nowhere by the sentence of the answer', () => {
    const verdict = run({ evidence: 'It was thrown open in that year' });
    expect(verdict.pass && verdict.candidate.span?.quote).toBe(
      'It was opened to road traffic in 1911 and is 5 km from the station.',
    );
  });

  it.each([
    ['QUESTION_FORM', { question: 'When was it?' }],
    ['QUESTION_FORM', { question: 'Pebble Bridge in Fenmoor was opened to road traffic' }],
    ['ANSWER_EMPTY', { answer: '  ' }],
    [
      'ANSWER_TOO_LONG',
      {
        answer: 'a long and winding road that leads past every door of the whole town',
        answerType: 'phrase' as const,
      },
    ],
    ['GROUND_MISSING', { answer: '1912' }],
    [
      'GROUND_MISSING',
      { question: 'Who was the engineer of Pebble Bridge in Fenmoor?', answer: 'Ada Lovelace' },
    ],
    [
      'LEAK_NORMALISED',
      {
        question: 'Which daily people-crossing counts are told for Pebble Bridge?',
        answer: 'people crossing count',
        answerType: 'phrase' as const,
      },
    ],
    ['CONTEXT_SOURCE', { question: 'According to the text, in what year was Pebble Bridge opened?' }],
    ['CONTEXT_PRONOUN', { question: 'In what year was it opened to road traffic?' }],
    ['CONTEXT_TIME', { question: 'In what year was the bridge that is currently in Fenmoor opened?' }],
    ['CONTEXT_ANCHOR', { question: 'In what year was the stone bridge opened to traffic?' }],
    ['PII', { question: 'In what year did Agnes Thorne, agnes@thorne.org, open Pebble Bridge?' }],
  ] as const)('reject with %s', (code, changes) => expect(codeOf(changes)).toBe(code));

  it('[dataset-synthesis 15] answers inside the question leak, whatever their spelling', () => {
    expect(codeOf({ question: 'Was it in 1911 that Pebble Bridge was opened, or in what year?' })).toBe(
      'LEAK_LITERAL',
    );
    const daily = { answer: '1,200', answerType: 'number' as const };
    expect(
      codeOf({
        ...daily,
        question: 'How many of the twelve hundred people of Fenmoor cross Pebble Bridge each day?',
      }),
    ).toBe('LEAK_NUMERIC');
    const far = { answer: '5 km', answerType: 'quantity' as const };
    expect(
      codeOf({
        ...far,
        question: 'How far, 5,000 metres or more, is Pebble Bridge from the station of Fenmoor?',
      }),
    ).toBe('LEAK_NUMERIC');
    expect(codeOf({ ...far, question: 'How far is Pebble Bridge from the station of Fenmoor?' })).toBe(
      'pass',
    );
  });

  it('[dataset-synthesis 16] yes and no are refused unless opted in, choice letters always', () => {
    const question = 'Was Pebble Bridge in Fenmoor opened to road traffic?';
    expect(codeOf({ question, answer: 'Yes', answerType: 'boolean' })).toBe('ANSWER_BOOLEAN');
    const allow: AnswerType[] = [...config.answers.allow, 'boolean'];
    expect(run({ question, answer: 'Yes' }, BRIDGE, { answers: { allow } })).toMatchObject({
      pass: true,
      candidate: { answerType: 'boolean', answerKey: 'true' },
    });
    for (const answer of ['B', '(c)', 'd.', 'Option A'])
      expect(codeOf({ question, answer })).toBe('ANSWER_OPTION');
  });

  it('reject types the job does not allow', () => {
    expect(run({}, BRIDGE, { answers: { allow: ['name'] } })).toMatchObject({
      pass: false,
      code: 'ANSWER_TYPE',
    });
  });

  it('only flag numbers that Math and Coding problems state, and do not ask them to be in the text', () => {
    const verdict = run({
      domain: 'Math',
      question: 'What is 12 plus 0, given that 12 is a whole number?',
      answer: '12',
      answerType: 'number',
    });
    expect(verdict).toMatchObject({ pass: true, flags: ['leak-suspect'] });
  });

  it('flag personal data where the job says so', () => {
    const question = 'In what year did Agnes Thorne, agnes@thorne.org, open Pebble Bridge?';
    expect(run({ question }, BRIDGE, { pii: 'flag' })).toMatchObject({ pass: true, flags: ['pii:email'] });
    expect(run({ question }, BRIDGE, { pii: 'off' })).toMatchObject({ pass: true, flags: [] });
  });

  it('survive any text and stay deterministic', () => {
    fc.assert(
      fc.property(
        fc.record({
          question: fc.string({ unit: 'grapheme' }),
          answer: fc.string(),
          evidence: fc.string(),
          aliases: fc.array(fc.string(), { maxLength: 3 }),
          answerType: fc.constantFrom(...ANSWER_TYPES),
          domain: fc.constantFrom(...DOMAINS),
        }),
        fc.string({ minLength: 1 }),
        (changes, text) => {
          const document = documentOf(text);
          const verdict = run(changes, document);
          expect(run(changes, document)).toEqual(verdict);
          if (verdict.pass && verdict.candidate.span) {
            const { charStart, charEnd, quote } = verdict.candidate.span;
            expect(text.slice(charStart, charEnd)).toBe(quote);
          }
        },
      ),
    );
  });
});
