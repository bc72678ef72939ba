import { scanNumbers } from '#shared/text/numbers.ts';

/** The numbers of a question as the algorithms see them: what each is, and the words around it. */

export interface Mention {
  /** Position among the mentions, from 0. */
  index: number;
  value: number;
  text: string;
  start: number;
  end: number;
  money: boolean;
  percent: boolean;
  /** `twice`, `half`, `two thirds`: how often or which part, not how many. */
  factor: boolean;
  /** `third`, `2nd`: a rank, not an amount. */
  ordinal: boolean;
  /** Words before and after in its sentence, lower case, numbers as `#`; nearest last and first. */
  before: string[];
  after: string[];
}

const MULTIPLES: Record<string, number> = {
  twice: 2, double: 2, doubles: 2, doubled: 2, doubling: 2, thrice: 3, triple: 3, triples: 3, tripled: 3, quadruple: 4,
  quadrupled: 4, dozen: 12, dozens: 12, pair: 2, couple: 2, half: 0.5, halved: 0.5, halves: 0.5, quarter: 0.25,
  third: 1 / 3, fourth: 0.25, fifth: 0.2, sixth: 1 / 6, eighth: 0.125, tenth: 0.1, score: 20, single: 1, trio: 3,
}; // prettier-ignore
const FACTOR = /^(?:twice|thrice|doubl|tripl|quadrupl)/i;
const WORD = /[\p{L}][\p{L}'’]*|#/gu;

/** Every number, number word and multiple of a text in order of position. */
export function mentionsOf(text: string): Mention[] {
  const names = properNames(text);
  const spans: { start: number; end: number; value: number; ordinal: boolean }[] = scanNumbers(text).map(
    ({ start, end, value, ordinal }) => ({ start, end, value, ordinal }),
  );
  for (const match of text.matchAll(/(?<![\p{L}'’])\p{L}+(?![\p{L}'’])/gu)) {
    const value = MULTIPLES[match[0].toLowerCase()];
    const [start, end] = [match.index, match.index + match[0].length];
    const clash = spans.find((span) => start < span.end && end > span.start);
    if (value === undefined) continue;
    if (!clash) spans.push({ start, end, value, ordinal: false });
  }
  spans.sort((a, b) => a.start - b.start);
  return spans.map((span, index) => {
    const { start, end } = span;
    const follows = text.slice(end, end + 12);
    return {
      index,
      value: span.value,
      text: text.slice(start, end),
      start,
      end,
      money:
        /[$€£]\s*$/.test(text.slice(Math.max(0, start - 2), start)) ||
        /^\s*(?:dollars?|cents?|bucks)\b/i.test(follows),
      percent: /^\s*(?:%|percent|per cent)/i.test(follows),
      ordinal: span.ordinal,
      factor:
        FACTOR.test(text.slice(start, end)) ||
        (span.value > 0 && span.value < 1 && !/\d\.\d|^\./.test(text.slice(start, end))),
      ...contextOf(text, spans, names, start, end),
    };
  });
}

/** Words on either side within the sentence. */
function contextOf(
  text: string,
  spans: { start: number; end: number }[],
  names: ReadonlySet<string>,
  start: number,
  end: number,
): { before: string[]; after: string[] } {
  const mask = (from: number, to: number): string => {
    let out = '';
    let at = from;
    for (const span of spans) {
      if (span.end <= from || span.start >= to) continue;
      out += `${text.slice(at, Math.max(at, span.start))} # `;
      at = Math.max(at, span.end);
    }
    return (out + text.slice(at, to)).toLowerCase();
  };
  const left = mask(Math.max(0, start - 160), start)
    .split(/[.;!?](?:\s|$)|\n/)
    .at(-1)!;
  const right = mask(end, Math.min(text.length, end + 160)).split(/[.;!?](?:\s|$)|\n/)[0]!;
  const words = (part: string): string[] =>
    (part.match(WORD) ?? []).map((word) => (names.has(word.replace(/['’]s$/, '')) ? 'someone' : word));
  return { before: words(left), after: words(right) };
}

const CALENDAR =
  /^(?:january|february|march|april|may|june|july|august|september|october|november|december|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)$/;

/** Names of people and places, lower case: what is written large within a sentence, or possessive. Tools are not about them. */
function properNames(text: string): Set<string> {
  const names = new Set<string>();
  for (const match of text.matchAll(/(?<=[\p{Ll},;:)]['’]?\s+)\p{Lu}[\p{Ll}]+|\p{Lu}\p{Ll}+(?=['’]s\b)/gu)) {
    const name = match[0].toLowerCase();
    if (!CALENDAR.test(name)) names.add(name);
  }
  return names;
}
