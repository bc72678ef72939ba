import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findContextFault } from '#functions/dataset-synthesis/gates/context.ts';

const codeOf = (question: string): string | undefined => findContextFault(question)?.code;

describe('a question must stand by itself', () => {
  it.each([
    ['What does the author of the passage say about Rome?', 'CONTEXT_SOURCE'],
    ['Which river in France is described above?', 'CONTEXT_SOURCE'],
    ['What value for Paris is shown in Table 3?', 'CONTEXT_SOURCE'],
    ['What did he discover in 1928?', 'CONTEXT_PRONOUN'],
    ['How long is this bridge over the Tyne?', 'CONTEXT_PRONOUN'],
    ['Who is currently the mayor of Arven?', 'CONTEXT_TIME'],
    ['How many people moved to Arven last year?', 'CONTEXT_TIME'],
    ['What is the current population of Arven?', 'CONTEXT_TIME'],
    ['What is the name of the process of decay?', 'CONTEXT_ANCHOR'],
  ])('%s → %s', (question, code) => expect(codeOf(question)).toBe(code));

  it.each([
    'Who was the author of Moby-Dick?',
    'In what year did Latvia reestablish its independence?',
    'What is the current account balance of Albania in 2024, in US dollars?',
    'How long does it take light to travel from the Sun to the Earth?',
    'A bridge crosses the Tyne. How long is this bridge?',
    'What does `len([1, 2])` return in Python?',
    'Calculate the sum of the first twelve odd positive integers.',
    'Which countries border the United States?',
  ])('keeps: %s', (question) => expect(codeOf(question)).toBeUndefined());

  it('reads any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => void findContextFault(text)));
  });
});
