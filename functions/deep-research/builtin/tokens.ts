import { normaliseText } from '#shared/research/facts/normalise.ts';
import { stem } from '#shared/text/stem.ts';
import { STOP_WORDS } from '#shared/text/stop-words.ts';

/** A question as a row of words, so that names and relations can be found in it whatever stands around them. */
export interface Token {
  /** Normalised; articles are kept, possessive endings are tokens of their own (`'s`). */
  word: string;
  /** As written, for what is resolved to a name: the whole name is one reading of its tokens. */
  raw: string;
  capital: boolean;
}

const PIECE = /[’']s(?![\p{L}\p{N}])|[\p{L}\p{N}]+|,(?=\s)/gu;

/** The words of a text in the form in which facts are compared, with what normalising drops kept apart. */
export function tokensOf(text: string): Token[] {
  const folded = text.normalize('NFKD').replace(/\p{M}+/gu, '');
  return [...folded.matchAll(PIECE)].map(([raw]) => ({
    word: /^[’']s$/.test(raw) ? "'s" : raw.toLowerCase(),
    raw,
    capital: /^\p{Lu}/u.test(raw),
  }));
}

/** What people say around a relation without meaning one. */
const NOISE = new Set(
  `according answer approximately called corpus current currently described documents does entry exact exactly
  figure find following give given gives go goes identify indicate indicated information item known label list
  listed lists mention mentioned name named names note noted one page please profile provide question record
  recorded records reported reports respectively say says shown source stand stated states tell text thing value
  what's want know look matter whichever whatever reads read article regarding concerning think believe`.split(
    /\s+/,
  ),
);
const ARTICLES = new Set(['a', 'an', 'the']);

/** Synonyms shared by questions and keys, each group under its first word: stems. */
const GROUPS = [
  'population inhabitants people residents',
  'border neighbour neighbor boundary',
  'birth born',
  'death died die passed',
  'place location located where',
  'date when',
  'year annual',
  'discovery discovered discoverer found finder',
  'founding founded established creation created',
  'currency money',
  'religion faith',
  'height elevation tall high peak',
  'mountain summit',
  'size area',
  'length long',
  'language spoken speak tongue',
  'leader head ruler',
  'launch launched lift',
  'carrier vehicle rocket carried',
  'body planet orbits orbit',
  'owner owned belongs',
  'author written writer wrote',
  'export exports sell sells',
  'import imports buy buys',
  'river stream',
  'city town',
  'anthem song',
  'holiday celebration',
  'job occupation profession',
  'spouse married wife husband',
  'school university education educated',
  'climate weather',
  'sea ocean',
  'age old',
  'speed fast',
  'weight mass heavy',
];

const canon = new Map<string, string>();
for (const group of GROUPS) {
  const [first, ...rest] = group.split(' ').map(stem);
  for (const word of rest) canon.set(word, first!);
}

/** The stem that stands for a word and its synonyms. */
export function canonical(word: string): string {
  const root = stem(word);
  return canon.get(root) ?? root;
}

/** Words that say two things at once. */
const COMPOUNDS: Readonly<Record<string, readonly string[]>> = {
  birthplace: ['birth', 'place'],
  birthday: ['birth', 'date'],
  birthdate: ['birth', 'date'],
  birthyear: ['birth', 'year'],
  deathplace: ['death', 'place'],
};

/** The stems that a word stands for: most have one. */
export const canonicalAll = (word: string): string[] =>
  Object.hasOwn(COMPOUNDS, word) ? COMPOUNDS[word]!.map(canonical) : [canonical(word)];

/** Whether a word can name a relation or a thing: no article, no question word, no filler. */
export const isContent = (word: string): boolean =>
  word !== "'s" && word !== ',' && !ARTICLES.has(word) && !STOP_WORDS.has(word) && !NOISE.has(word);

/** Stems of the content words of a text, in their order. */
export const contentStems = (text: string): string[] =>
  tokensOf(text)
    .filter(({ word }) => isContent(word))
    .flatMap(({ word }) => canonicalAll(word));

/** What normalising drops inside a phrase. */
const PASSED_OVER = new Set([...ARTICLES, "'s", ',']);

/** The words of a phrase as facts are compared by. */
export const wordsOf = (phrase: string): string[] => normaliseText(phrase).split(' ').filter(Boolean);

/** Where a phrase stands in tokens, articles passed over: [start, end), every occurrence. */
export const occurrences = (tokens: readonly Token[], phrase: string): [number, number][] =>
  occurrencesOf(tokens, wordsOf(phrase));

/** The same for the words of a phrase. */
export function occurrencesOf(tokens: readonly Token[], words: readonly string[]): [number, number][] {
  if (words.length === 0) return [];
  const found: [number, number][] = [];
  for (let start = 0; start < tokens.length; start++) {
    if (tokens[start]!.word !== words[0]) continue;
    let at = start;
    let k = 0;
    while (at < tokens.length && k < words.length) {
      if (tokens[at]!.word === words[k]) k++;
      else if (!PASSED_OVER.has(tokens[at]!.word)) break;
      at++;
    }
    if (k === words.length) found.push([start, at]);
  }
  return found;
}
