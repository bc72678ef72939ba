import { STOP } from './words.ts';
import type { Mention } from './mentions.ts';

/** Names of parameters, steps and functions from the words of a question. */

const PYTHON = new Set(
  `and as assert async await break class continue def del elif else except finally for from global if import in is
  lambda nonlocal not or pass raise return try while with yield none true false abs all any bool bin chr dict dir
  divmod float format hash hex id input int iter len list map math max min next object oct open ord pow print range
  round set slice str sum super tuple type vars zip match case`.split(/\s+/),
);

/** A word that may stand in a Python name: folded, letters only. */
const plain = (word: string): string =>
  word
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .replace(/['’]s$/, '')
    .replace(/[^a-z]/g, '');

const isContent = (word: string): boolean => {
  const name = plain(word);
  return word !== '#' && name.length > 1 && !STOP.has(word) && !STOP.has(name);
};

/** A valid name of these words, at most 40 characters; undefined where nothing is left. */
export function identifier(words: readonly string[]): string | undefined {
  const parts = words
    .flatMap((word) => word.split('_'))
    .map(plain)
    .filter((part) => part !== '');
  const name = parts.join('_').slice(0, 40).replace(/_+$/, '');
  if (name === '') return undefined;
  return PYTHON.has(name) ? `${name}_value` : name;
}

/** The noun phrase at the start of some words: up to its first stop word, at most three words. */
function leadingPhrase(words: readonly string[]): string[] {
  const out: string[] = [];
  let started = false;
  for (const word of words.slice(0, 8)) {
    if (!isContent(word)) {
      if (started) break;
      // Determiners and `of` may stand before the noun; anything else ends the search.
      if (!DETERMINERS.has(word)) break;
      continue;
    }
    started = true;
    out.push(word);
    if (out.length === 3) break;
  }
  return out;
}

const DETERMINERS = new Set(
  'of the a an as many much his her its their my our your more less fewer other additional extra different new such these those each every'.split(
    ' ',
  ),
);
const PER = new Set(['each', 'per', 'a', 'an', 'apiece', 'every']);

/** What a mention counts or measures, for its parameter: the noun phrase after it, else the one before. */
export function phraseOf(mention: Mention): string[] {
  const [next] = mention.after;
  if (mention.factor) {
    const noun = leadingPhrase(mention.after);
    return [...(noun.length > 0 ? noun.slice(-1) : nearestBefore(mention).slice(-1)), 'factor'];
  }
  if (mention.money && (next === undefined || PER.has(next)))
    return next === undefined ? priceBefore(mention) : ['price'];
  const after = leadingPhrase(
    mention.percent
      ? mention.after.filter((word, n) => !(n < 2 && /^per|cent|percent$/.test(word)))
      : mention.after,
  );
  const noun =
    mention.money && after[0] !== undefined && /^(dollars?|cents?|bucks)$/.test(after[0])
      ? after.slice(1)
      : after;
  if (noun.length > 0) return mention.percent ? [...noun.slice(0, 1), 'percent'] : noun.slice(-2);
  const before = nearestBefore(mention);
  if (mention.percent) return [...before.slice(-1), 'percent'];
  if (before.length > 0) return before.slice(-1);
  return mention.money ? ['price'] : [];
}

const nearestBefore = (mention: Mention): string[] => mention.before.filter(isContent).slice(-2);

const priceBefore = (mention: Mention): string[] => {
  const before = nearestBefore(mention);
  return before.length > 0 ? before.slice(-1) : ['price'];
};

/** Content words around a mention, nearest first: what tells two parameters of one name apart. */
export function contextWords(mention: Mention): string[] {
  const out: string[] = [];
  const before = mention.before.toReversed();
  for (let n = 0; n < 6; n++) {
    for (const word of [mention.after[n], before[n]]) {
      if (word !== undefined && isContent(word) && !out.includes(plain(word))) out.push(plain(word));
    }
  }
  return out;
}

/** The words around a mention as its description: what a reader, or a solver, recognises it by. */
export function describe(mention: Mention): string {
  const before = mention.before.slice(-5);
  const after = mention.after.slice(0, 5);
  const hole = mention.percent ? '_ %' : mention.money ? '$_' : '_';
  return [...before, hole, ...after].map((word) => (word === '#' ? 'some' : word)).join(' ');
}

/** Gives each name once: a second one gets a word of its context, then a number. */
export class Names {
  readonly #taken: Set<string>;

  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  take(words: readonly string[], more: readonly string[], fallback: string): string {
    const base = identifier(words) ?? identifier(more.slice(0, 1)) ?? fallback;
    const tries = [
      base,
      ...more
        .filter((word) => !base.split('_').includes(word))
        .slice(0, 3)
        .map((word) => identifier([base, word]) ?? base),
    ];
    const free = tries.find((name) => !this.#taken.has(name)) ?? this.#numbered(base);
    this.#taken.add(free);
    return free;
  }

  #numbered(base: string): string {
    let n = 2;
    while (this.#taken.has(`${base}_${n}`)) n++;
    return `${base}_${n}`;
  }
}

/** What a step's value is called: the words after it, else the last content words before it. */
export function stepWords(before: string, after: string): string[] {
  // What is written large is a name, or the first word of a sentence: neither says what was worked out.
  const words = (text: string): string[] =>
    text
      .replace(/\p{Lu}[\p{L}'’]*/gu, '#')
      .toLowerCase()
      .replace(/\d[\d.,]*/g, '#')
      .match(/[\p{L}][\p{L}'’]*|#/gu) ?? [];
  const following = leadingPhrase(words(after));
  if (following.length > 0) return following.slice(0, 2);
  return words(before).filter(isContent).slice(-1);
}

const ROOT: Record<string, string> = {
  '+': 'total',
  '-': 'difference',
  '*': 'product',
  '/': 'share',
  '**': 'power',
};
const VERBS = new Set(
  `is are was were do does did will would can could should has have had must may might be been if in to per each
  altogether total there left remain remains`.split(/\s+/),
);

/** A function's name: what the question asks for, else the last step's noun, and what the last operator makes. */
export function functionWords(
  question: string,
  lastStep: readonly string[],
  root: string | undefined,
): string[] {
  const asked = [
    ...question
      .toLowerCase()
      .matchAll(/\bhow (?:much|many|long|far|old|tall|often|fast|big|heavy)\b([^.?!]*)/g),
  ].at(-1);
  const words: string[] = [];
  for (const word of asked?.[1]?.match(/[\p{L}'’]+/gu) ?? []) {
    if (VERBS.has(word)) break;
    if (isContent(word)) words.push(word);
    if (words.length === 3) break;
  }
  const subject = words.length > 0 ? words : lastStep.length > 0 ? lastStep.slice(0, 2) : ['value'];
  const operator = ROOT[root ?? ''];
  return operator && !subject.includes(operator) ? [...subject, operator] : [...subject];
}
