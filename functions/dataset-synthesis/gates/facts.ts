import { scanDates, type DateMention } from '#shared/text/dates.ts';
import { stem, wordsOf } from '#shared/text/stem.ts';
import { scanQuantities, type Quantity } from '#shared/text/units.ts';
import { STOP_WORDS } from '#shared/text/stop-words.ts';

/** What gates and builtin algorithms look up in a text, computed once a text. */
export interface TextFacts {
  quantities: Quantity[];
  dates: DateMention[];
  /** Folded words, joined by and framed in single spaces. */
  words: string;
  /** Offsets of each word, in order. */
  offsets: { start: number; end: number }[];
}

const memo = new Map<string, TextFacts>();
const MEMO_LIMIT = 64;

/** Numbers, dates and words of a text; the last 64 texts stay in memory. */
export function factsOf(text: string): TextFacts {
  let facts = memo.get(text);
  if (!facts) {
    const list = wordsOf(text);
    facts = {
      quantities: scanQuantities(text),
      dates: scanDates(text),
      words: ` ${list.map((word) => word.key).join(' ')} `,
      offsets: list.map(({ start, end }) => ({ start, end })),
    };
    if (memo.size >= MEMO_LIMIT) memo.delete(memo.keys().next().value!);
    memo.set(text, facts);
  }
  return facts;
}

const ARTICLES = new Set(['a', 'an', 'the']);

/** Stems of the words of a text without articles and possessive endings. */
export const stemmedWords = (text: string): string[] =>
  wordsOf(text)
    .map((word) => word.key.replace(/'s?$/, ''))
    .filter((word) => word !== '' && !ARTICLES.has(word))
    .map(stem);

/** Stems of the content words of a text: no stop words. */
export const contentStems = (text: string): string[] =>
  wordsOf(text)
    .map((word) => word.key.replace(/'s?$/, ''))
    .filter((word) => word !== '' && !STOP_WORDS.has(word))
    .map(stem);
