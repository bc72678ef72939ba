import type { Fact } from '#shared/research/types.ts';
import type { Page } from './progress.ts';
import {
  canonical,
  canonicalAll,
  isContent,
  occurrences,
  occurrencesOf,
  tokensOf,
  wordsOf,
  type Token,
} from './tokens.ts';

/**
 * Resolving a question from the inside out, by evidence: no grammar decides where a name or a relation begins; every
 * reading is tried against the facts that were read, and the best one stands (specification section 9).
 */

/** A question on its way: names that were found have taken the place of their descriptions. */
export interface Goal {
  tokens: Token[];
}

/** One step of resolving. */
export interface Move {
  score: number;
  page: Page;
  fact: Fact;
  /** `title`: a thing that is named, its fact's value; `attribute`: a thing that is described, its title. */
  kind: 'title' | 'attribute';
  /** Tokens that the result stands for. */
  from: number;
  to: number;
  /** The name or value found. */
  value: string;
  /** Nothing is left to be asked once it is made. */
  final: boolean;
}

const ARTICLES = new Set(['a', 'an', 'the']);
/** Words of a key that say nothing of it. */
const SILENT = new Set([...ARTICLES, "'s", ',', 'of', 'by']);
/** What begins the question proper after a clause: `For the country whose …, what is …`. */
const ASKING = new Set([
  'what',
  'which',
  'who',
  'whom',
  'how',
  'when',
  'where',
  'name',
  'give',
  'tell',
  'find',
]);
const OPENERS = new Set(['whose', 'with', 'that', 'which', 'who', 'where', 'having']);
const PREPOSITIONS = new Set(['in', 'for', 'of', 'by', 'on', 'to', 'from', 'at']);
/** After these a relation may begin. */
const CUTS = new Set([
  ...OPENERS,
  ...ARTICLES,
  ...PREPOSITIONS,
  'has',
  'have',
  'when',
  'is',
  'are',
  'was',
  'were',
  'its',
  'as',
  'did',
  'does',
  'do',
  'what',
  'how',
  ',',
]);
/** At least this much of a relation must fit. */
export const BRIDGE = 0.5;
/** From here on a relation is meant beyond doubt. */
const CLEAR = 0.75;

/** What an asked word counts that no key of the page knows, against one that a key knows. */
const UNKNOWN = 0.34;

export type AnswerType = 'number' | 'date' | 'person' | 'place' | 'text';

/** The kind of answer that a question's first words ask for. */
export function answerTypeOf(tokens: readonly Token[]): AnswerType {
  const words = tokens.map(({ word }) => word);
  const has = (...any: string[]): boolean => any.some((word) => words.includes(word));
  const start = words.slice(0, 4).join(' ');
  if (/\bhow (many|much|long|far|tall|high|large|big|old|deep|fast|heavy)\b/.test(words.join(' ')))
    return 'number';
  if (/\b(when|year|date)\b/.test(start)) return 'date';
  if (words[0] === 'who' || has('whom')) return 'person';
  if (words[0] === 'where') return 'place';
  return 'text';
}

const DATE = /\b(1\d{3}|20\d{2})\b|\b\d{1,2} \p{Lu}\p{Ll}+|\p{Lu}\p{Ll}+ \d{1,2}\b/u;

function fits(value: string, type: AnswerType): number {
  const head = value.slice(0, 120);
  switch (type) {
    case 'number':
      return /\d/.test(head) ? 0.1 : -0.15;
    case 'date':
      return DATE.test(head) ? 0.15 : -0.2;
    case 'person':
      return /^\p{Lu}/u.test(head) && !/^\p{Lu}?\P{L}*\d{3}/u.test(head) ? 0.1 : -0.2;
    case 'place':
      return /^\d/.test(head) ? -0.2 : 0.05;
    case 'text':
      return 0;
  }
}

/** Asked words against the keys of a page: those that some key knows, and how many none does. */
interface Asked {
  known: readonly string[];
  unknown: number;
}

const askedOf = (words: ReadonlySet<string>, vocabulary: ReadonlySet<string>): Asked => {
  const known = [...words].filter((word) => vocabulary.has(word));
  return { known, unknown: words.size - known.length };
};

/**
 * How well asked words match a fact's relation: 0.6 of coverage and 0.4 of Jaccard over stems of key and heading
 * (specification section 9). Words that no key of the page knows may be fillers: they count for a third.
 */
function relationMatch({ known, unknown }: Asked, fact: Fact): number {
  if (known.length === 0) return 0;
  const { key, heading } = shapeOf(fact);
  let hits = 0;
  let ofKey = 0;
  for (const word of known) {
    if (key.has(word)) ofKey++;
    // A heading counts where it was asked for.
    if (key.has(word) || heading.has(word)) hits++;
  }
  if (ofKey === 0) return 0;
  const named = key.size + (hits - ofKey);
  return 0.6 * (hits / (known.length + UNKNOWN * unknown)) + 0.4 * (hits / (known.length + named - hits));
}

/** A key that stands word for word in the question is meant, down to the words that carry no topic. */
const verbatim = (tokens: readonly Token[], fact: Fact): number =>
  occurrencesOf(tokens, shapeOf(fact).words).length > 0 ? 0.2 : 0;

interface Shape {
  key: ReadonlySet<string>;
  heading: ReadonlySet<string>;
  /** Of the key, normalised. */
  words: readonly string[];
  /** The values a description may name: the head first, normalised. */
  values: readonly (readonly string[])[];
}

const shapes = new WeakMap<Fact, Shape>();

/** What comparing needs of a fact, made once. */
function shapeOf(fact: Fact): Shape {
  let shape = shapes.get(fact);
  if (!shape) {
    shape = {
      key: stemsOf(fact.key),
      heading: stemsOf(fact.path.at(-1) ?? ''),
      words: wordsOf(fact.key),
      values: [fact.head, ...partsOf(fact)].filter((value) => /\p{L}{3}/u.test(value)).map(wordsOf),
    };
    shapes.set(fact, shape);
  }
  return shape;
}

const stemsOf = (text: string): ReadonlySet<string> =>
  new Set(tokensOf(text).flatMap(({ word }) => (SILENT.has(word) ? [] : canonicalAll(word))));

/** The words that the keys of a page know. */
function vocabularyOf(facts: readonly Fact[]): ReadonlySet<string> {
  const words = new Set<string>();
  for (const fact of facts) {
    const { key, heading } = shapeOf(fact);
    for (const word of key) words.add(word);
    for (const word of heading) words.add(word);
  }
  return words;
}

/** Where the innermost description begins: the last opener after `the <thing>`; -1 where nothing is described. */
export function innermost(tokens: readonly Token[]): { noun: number; start: number } | undefined {
  for (let at = tokens.length - 2; at >= 2; at--) {
    if (!OPENERS.has(tokens[at]!.word)) continue;
    // The article of the thing that is described, at most four words before.
    for (let back = at - 2; back >= Math.max(0, at - 5); back--) {
      if (!ARTICLES.has(tokens[back]!.word)) continue;
      const last = PREPOSITIONS.has(tokens[at - 1]!.word) && back < at - 2 ? at - 1 : at;
      const noun = tokens.slice(back + 1, last);
      if (noun.every(({ word }) => !CUTS.has(word) && word !== "'s")) {
        return { noun: back, start: at + 1 };
      }
      break;
    }
  }
  return undefined;
}

/** Where a clause ends: at the comma before the question proper, else with the text. */
export function clauseEnd(tokens: readonly Token[], start: number): number {
  for (let at = start; at < tokens.length - 1; at++)
    if (tokens[at]!.word === ',' && ASKING.has(tokens[at + 1]!.word)) return at;
  return tokens.length;
}

/** All moves that what was read allows, best first. */
export function movesOf(goal: Goal, pages: readonly Page[], entityNoun: string): Move[] {
  const { tokens } = goal;
  const type = answerTypeOf(tokens);
  const moves: Move[] = [];
  const inner = innermost(tokens);
  for (const page of pages) {
    const vocabulary = vocabularyOf(page.facts);
    for (const name of new Set([page.title, page.entity])) {
      for (const [start, end] of occurrences(tokens, name)) {
        // A longer name around it is another thing: `Guinea` in `Papua New Guinea`.
        if (partOfName(tokens, start, end)) continue;
        moves.push(...titleMoves(tokens, [start, end], page, vocabulary, entityNoun, type));
      }
    }
    if (inner) moves.push(...attributeMoves(tokens, inner, page, vocabulary, entityNoun));
  }
  return moves.sort(
    (a, b) => b.score - a.score || b.to - b.from - (a.to - a.from) || (a.page.url < b.page.url ? -1 : 1),
  );
}

/** Whether capitalised words stand directly before or after a name, so that it is a piece of a longer one. */
function partOfName(tokens: readonly Token[], start: number, end: number): boolean {
  const before = tokens[start - 1];
  const after = tokens[end];
  const named = (token: Token | undefined, first: boolean): boolean =>
    token !== undefined && token.capital && !first && !CUTS.has(token.word);
  return (
    named(before, start - 1 === 0) ||
    (named(after, false) && tokens[end - 1]!.capital && after!.word !== "'s")
  );
}

function titleMoves(
  tokens: readonly Token[],
  [start, end]: [number, number],
  page: Page,
  vocabulary: ReadonlySet<string>,
  entityNoun: string,
  type: AnswerType,
): Move[] {
  const nouns = new Set(tokensOf(entityNoun).map(({ word }) => word));
  const asked = (from: number, to: number): string[] =>
    tokens
      .slice(from, to)
      .filter(({ word }) => isContent(word) && !nouns.has(word))
      .flatMap(({ word }) => canonicalAll(word));
  // What stands after a name belongs to it up to the end of its clause, to the question around it, or to neither.
  const clause = clauseEnd(tokens, end);
  const afters = [...new Set([tokens.length, clause, end])].map((to) => ({ to, words: asked(end, to) }));
  const readings: (Move & { unknown: number; match: number })[] = [];
  for (let from = start; from >= 0; from--) {
    if (from > 0 && !CUTS.has(tokens[from - 1]!.word) && tokens[from - 1]!.word !== "'s") continue;
    const before = [...asked(from, start), ...questionStem(tokens, from, start)];
    const left = asked(0, from);
    for (const { to, words: rest } of afters) {
      const words = new Set([...before, ...rest]);
      if (words.size === 0) continue;
      const final = left.length === 0 && asked(to, tokens.length).length === 0;
      const best = bestFact(page.facts, words, vocabulary, tokens.slice(from, to), final ? type : undefined);
      if (!best) continue;
      readings.push({
        // The longer reading of equal ones; a whole question that is answered before a part of it.
        score: best.score + 0.01 * Math.min(5, words.size) + (final ? 0.02 : 0),
        match: best.match,
        unknown: [...words].filter((word) => !vocabulary.has(word)).length,
        page,
        fact: best.fact,
        kind: 'title',
        from,
        to,
        value: best.fact.head,
        final,
      });
    }
  }
  // Where a part of the question is wholly answered here, words that this page knows nothing of ask for something else.
  const inside = readings.some(({ final, unknown, match }) => !final && unknown === 0 && match >= CLEAR);
  return readings.map(({ unknown, match: _match, ...move }) =>
    inside && move.final && unknown > 0 ? { ...move, score: move.score - 0.35 } : move,
  );
}

/** The fact of a page that fits asked words best; `type` is what a final answer should be, else it must be a name. */
function bestFact(
  facts: readonly Fact[],
  words: ReadonlySet<string>,
  vocabulary: ReadonlySet<string>,
  around: readonly Token[],
  type: AnswerType | undefined,
): { fact: Fact; score: number; match: number } | undefined {
  let best: { fact: Fact; score: number; match: number } | undefined;
  const asked = askedOf(words, vocabulary);
  for (const fact of facts) {
    const rough = relationMatch(asked, fact);
    if (rough <= 0) continue;
    const match = rough + verbatim(around, fact);
    const score = match + (type === undefined ? nameLike(fact.head) : fits(fact.head, type));
    if (!best || score > best.score + 1e-9) best = { fact, score, match };
  }
  return best;
}

/** What stands for another question must be a name, not a number. */
const nameLike = (head: string): number => (/^\p{Lu}/u.test(head) && head.length <= 60 ? 0 : -0.3);

/** The relation that a question word itself asks for: `where` a place, `when` a date, `how many` nothing more. */
function questionStem(tokens: readonly Token[], from: number, to: number): string[] {
  return tokens
    .slice(from, to)
    .flatMap(({ word }) => (word === 'where' || word === 'when' ? [canonical(word)] : []));
}

function attributeMoves(
  tokens: readonly Token[],
  { noun, start }: { noun: number; start: number },
  page: Page,
  vocabulary: ReadonlySet<string>,
  entityNoun: string,
): Move[] {
  const moves: Move[] = [];
  const until = clauseEnd(tokens, start);
  const described = tokens.slice(start, until);
  const nouns = new Set(tokensOf(entityNoun).map(({ word }) => word));
  const present = new Set(described.map(({ word }) => word));
  for (const fact of page.facts) {
    for (const [index, value] of shapeOf(fact).values.entries()) {
      if (!present.has(value[0]!)) continue;
      for (const [from, to] of occurrencesOf(described, value)) {
        const asked = new Set(
          [...described.slice(0, from), ...described.slice(to)]
            .filter(({ word }) => isContent(word) && !nouns.has(word))
            .flatMap(({ word }) => canonicalAll(word)),
        );
        const match = relationMatch(askedOf(asked, vocabulary), fact) + verbatim(described, fact);
        if (match < BRIDGE) continue;
        moves.push({
          // A value that is all of its fact, and a long one, is surer.
          score: match + (0.1 * (to - from)) / described.length + (index === 0 ? 0.05 : 0),
          page,
          fact,
          kind: 'attribute',
          from: noun,
          to: until,
          value: page.entity,
          final: false,
        });
      }
    }
  }
  return moves;
}

/** The other values a fact lists, which a description may name too. */
const partsOf = ({ value, head }: Fact): string[] =>
  value
    .split(/[;,]\s*/)
    .slice(0, 12)
    .map((part) => part.replace(/\s*\([^)]*\)/g, '').trim())
    .filter((part) => part !== head && part.length >= 3);

/** The question with a move made: its result stands where its words stood. */
export function applied({ tokens }: Goal, move: Move): Goal {
  let { from } = move;
  // `the astronomer who …`, `the …`: the description's own words go with it.
  const head = tokens.slice(0, from);
  const opener = innermost([
    ...head,
    { word: 'x', raw: 'x', capital: false },
    { word: 'x', raw: 'x', capital: false },
  ]);
  if (opener && opener.start >= head.length - 1 && move.kind === 'title') from = opener.noun;
  while (from > 0 && ARTICLES.has(tokens[from - 1]!.word)) from--;
  const value = tokensOf(move.value).map((token) => ({ ...token, capital: true }));
  return { tokens: [...tokens.slice(0, from), ...value, ...tokens.slice(move.to)] };
}
