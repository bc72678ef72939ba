import { dateWithin, parseDate } from '#shared/text/dates.ts';
import { parseNumber, sameNumber } from '#shared/text/numbers.ts';
import { wordsOf } from '#shared/text/stem.ts';
import { sameQuantity } from '#shared/text/units.ts';
import type { AnswerType, Domain } from '../records.ts';
import { quantityOf } from './answers.ts';
import { factsOf } from './facts.ts';

/** Gate 4: the answer stands in the text, and so does its evidence. */

interface Span {
  start: number;
  end: number;
}

/** First place of a word sequence in a text, words compared folded. */
function findWords(text: string, phrase: string): Span | undefined {
  const wanted = wordsOf(phrase.replace(/^\s*(?:the|an?)\s+/i, '')).map((word) => word.key);
  if (wanted.length === 0) return undefined;
  const facts = factsOf(text);
  const at = facts.words.indexOf(` ${wanted.join(' ')} `);
  if (at < 0) return undefined;
  let index = 0;
  for (let i = 0; i < at; i++) if (facts.words[i] === ' ') index++;
  const first = facts.offsets[index];
  const last = facts.offsets[index + wanted.length - 1];
  return first && last ? { start: first.start, end: last.end } : undefined;
}

/** Where an answer occurs canonically in a text: equal number, quantity or date components, or the same words. */
export function findAnswer(answer: string, type: AnswerType, text: string): Span | undefined {
  const at = text.indexOf(answer);
  const edge = /[\p{L}\p{N}]/u;
  if (
    at >= 0 &&
    !(edge.test(text[at - 1] ?? ' ') && edge.test(answer[0]!)) &&
    !(edge.test(text[at + answer.length] ?? ' ') && edge.test(answer.at(-1)!))
  ) {
    return { start: at, end: at + answer.length };
  }
  const facts = factsOf(text);
  switch (type) {
    case 'number': {
      const value = parseNumber(answer);
      return value === undefined
        ? findWords(text, answer)
        : facts.quantities.find((mention) => sameNumber(mention.value, value));
    }
    case 'quantity': {
      const quantity = quantityOf(answer);
      if (!quantity) return findWords(text, answer);
      if (quantity.unit) {
        const exact = facts.quantities.find((mention) => sameQuantity(mention, quantity));
        if (exact) return exact;
      }
      return facts.quantities.find(
        (mention) => (!mention.unit || !quantity.unit) && sameNumber(mention.value, quantity.value),
      );
    }
    case 'date': {
      const date = parseDate(answer);
      return date ? facts.dates.find((mention) => dateWithin(date, mention)) : findWords(text, answer);
    }
    default:
      return findWords(text, answer);
  }
}

/** A sentence or line end: what follows an evidence quote's last character. */
const BOUNDARY = /\n|[.!?]["”’)\]]*\s+(?=["“‘(\[]?[\p{Lu}\p{N}])/gu;

/** The sentence (or line) of a text that holds a span; at most `limit` characters, the span kept inside. */
export function sentenceAround(text: string, span: Span, limit = 600): Span {
  let start = 0;
  let end = text.length;
  BOUNDARY.lastIndex = 0;
  for (const match of text.matchAll(BOUNDARY)) {
    const after = match.index + match[0].length;
    const cut = match[0] === '\n' ? match.index : match.index + match[0].trimEnd().length;
    if (after <= span.start) start = after;
    else if (match.index >= span.end - 1) {
      end = cut;
      break;
    }
  }
  if (end - start > limit) {
    start = Math.max(start, span.start - Math.floor(limit / 2));
    end = Math.min(end, Math.max(span.end, start + limit));
  }
  while (start < span.start && /\s/.test(text[start]!)) start++;
  while (end > span.end && /\s/.test(text[end - 1]!)) end--;
  return { start, end };
}

const LOOSE: Record<string, string> = {
  "'": "['’‘`]",
  '"': '["“”„]',
  '-': '[-‐‑–—−]',
};

/** Finds a quote in a text exactly, else with any white space, quote marks and dashes. */
export function findQuote(text: string, quote: string): Span | undefined {
  const wanted = quote
    .trim()
    .replace(/^["“]|["”]$/g, '')
    .trim();
  if (wanted === '') return undefined;
  const at = text.indexOf(wanted);
  if (at >= 0) return { start: at, end: at + wanted.length };
  if (wanted.length > 1000) return undefined;
  const pattern = wanted
    .replace(/[’‘`]/g, "'")
    .replace(/[“”„]/g, '"')
    .replace(/[‐‑–—−]/g, '-')
    .split(/\s+/)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&').replace(/['"-]/g, (mark) => LOOSE[mark]!))
    .join('\\s+');
  const match = new RegExp(pattern, 'iu').exec(text);
  return match ? { start: match.index, end: match.index + match[0].length } : undefined;
}

export type GroundingVerdict =
  | { pass: true; span?: { quote: string; charStart: number; charEnd: number }; replaced: boolean }
  | { pass: false; evidence: Record<string, unknown> };

const MUST_OCCUR: ReadonlySet<AnswerType> = new Set(['number', 'quantity', 'date', 'name']);

/**
 * Requires number, quantity, date and name answers to occur in the text (Math and Coding compute theirs), and finds
 * the evidence quote there; a quote that is nowhere is replaced by the answer's sentence.
 */
export function checkGrounding(
  pair: { answer: string; aliases: string[]; answerType: AnswerType; evidence: string; domain: Domain },
  text: string,
): GroundingVerdict {
  const exempt = pair.domain === 'Math' || pair.domain === 'Coding';
  const answer = pair.answer.trim();
  let found = findAnswer(answer, pair.answerType, text);
  if (!found && MUST_OCCUR.has(pair.answerType) && !exempt) {
    return { pass: false, evidence: { answer, answerType: pair.answerType } };
  }
  for (const alias of pair.aliases) {
    if (found) break;
    if (alias.trim() !== '') found = findAnswer(alias.trim(), pair.answerType, text);
  }
  const quoted = findQuote(text, pair.evidence);
  const span = quoted ?? (found && sentenceAround(text, found));
  if (!span) return { pass: true, replaced: false };
  return {
    pass: true,
    span: { quote: text.slice(span.start, span.end), charStart: span.start, charEnd: span.end },
    replaced: !quoted,
  };
}
