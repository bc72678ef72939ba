import { comparableText, finalAnswer, undress } from './final-answer.ts';

/** Letters of multiple choice. */

const LETTERS = 'ABCDEFGHIJ';
const MARKED = /^\(?([A-Ja-j])(?:[).:]|$)(?![A-Za-z])/;
const STANDALONE = /(?<![\p{L}\p{N}_'.-])([A-J])(?![\p{L}\p{N}_'])/gu;
const SEVERAL = /^\(?[A-J]\)?(?: ?(?:,|or|and|\/|&) ?\(?[A-J]\)?)+$/;

/**
 * The letter a reply chooses: an option written out in full, a letter that begins the final answer (`C) …`, `b.`), else
 * the first capital letter that stands alone. Several letters side by side choose none.
 */
export function chosenLetter(reply: string, options: readonly string[] = []): string | undefined {
  const answer = undress(finalAnswer(reply));
  const full = options.findIndex((option) => comparableText(option) === comparableText(answer));
  if (full >= 0) return LETTERS[full];
  if (SEVERAL.test(answer)) return undefined;
  const range = options.length === 0 ? LETTERS : LETTERS.slice(0, options.length);
  const marked = MARKED.exec(answer)?.[1]?.toUpperCase();
  if (marked && range.includes(marked)) return marked;
  for (const [, letter] of answer.matchAll(STANDALONE)) if (range.includes(letter!)) return letter;
  return undefined;
}

/** The letter a gold answer names, where it is one: a letter, or one of the options in full. */
export function goldLetter(gold: string, options: readonly string[] = []): string | undefined {
  const answer = undress(finalAnswer(gold));
  const full = options.findIndex((option) => comparableText(option) === comparableText(answer));
  if (full >= 0) return LETTERS[full];
  const marked = /^\(?([A-Ja-j])[).:]?$/.exec(answer)?.[1]?.toUpperCase();
  return marked && (options.length === 0 || LETTERS.indexOf(marked) < options.length) ? marked : undefined;
}
