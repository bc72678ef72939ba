import { parseDate, type DateParts } from '#shared/text/dates.ts';
import { sameNumber } from '#shared/text/numbers.ts';
import { fold } from '#shared/text/stem.ts';
import { scanQuantities, sameQuantity, type Quantity } from '#shared/text/units.ts';
import { scanDates } from '#shared/text/dates.ts';
import type { AnswerType, Domain, RejectCode } from '../records.ts';
import { quantityOf } from './answers.ts';
import { contentStems, stemmedWords } from './facts.ts';

/** Gate 5: the question does not give its answer (or an alias) away. */

export interface Leak {
  code: Extract<RejectCode, 'LEAK_LITERAL' | 'LEAK_NORMALISED' | 'LEAK_NUMERIC'>;
  answer: string;
  /** What in the question gives it away. */
  found: string;
}

const NUMERIC: ReadonlySet<AnswerType> = new Set(['number', 'quantity', 'date']);

const edge = /[\p{L}\p{N}]/u;

/** An answer as it stands, on token boundaries; `12` does not occur in `12.5`, `1,200` or `312`. */
function literal(question: string, answer: string): string | undefined {
  const hay = question.normalize('NFKC').toLowerCase();
  const needle = answer.normalize('NFKC').toLowerCase().trim();
  if (needle === '') return undefined;
  for (let at = hay.indexOf(needle); at >= 0; at = hay.indexOf(needle, at + 1)) {
    const before = hay.slice(0, at);
    const after = hay.slice(at + needle.length);
    const startsFree = !edge.test(needle[0]!) || !/[\p{L}\p{N}]$|\p{N}[.,]$/u.test(before);
    const endsFree = !edge.test(needle.at(-1)!) || !/^[\p{L}\p{N}]|^[.,]\p{N}/u.test(after);
    if (startsFree && endsFree) return question.normalize('NFKC').slice(at, at + needle.length) || needle;
  }
  return undefined;
}

/** Equal stems in a row, or at least 80 % of three or more content stems. */
function normalised(question: string, answer: string): string | undefined {
  const wanted = stemmedWords(answer);
  const given = stemmedWords(question);
  if (wanted.length > 0 && ` ${given.join(' ')} `.includes(` ${wanted.join(' ')} `)) return wanted.join(' ');
  const content = [...new Set(contentStems(answer))];
  if (content.length < 3) return undefined;
  const set = new Set(given);
  const shared = content.filter((word) => set.has(word));
  return shared.length >= 0.8 * content.length ? shared.join(' ') : undefined;
}

/** The components of an answer's date that a question asks for: the finest it states, unless a year is asked. */
function sharesAsked(answer: DateParts, mention: DateParts, question: string): boolean {
  if (/\b(?:what|which) year\b/i.test(question))
    return answer.year !== undefined && answer.year === mention.year;
  if (/\b(?:what|which) month\b/i.test(question))
    return answer.month !== undefined && answer.month === mention.month;
  if (answer.century !== undefined) return answer.century === mention.century;
  if (answer.decade !== undefined) return answer.decade === mention.decade;
  if (answer.day !== undefined) return answer.day === mention.day && answer.month === mention.month;
  if (answer.month !== undefined)
    return answer.month === mention.month && (mention.year === undefined || answer.year === mention.year);
  return answer.year === mention.year;
}

function sameValue(answer: Quantity, mention: Quantity): boolean {
  if (answer.unit && mention.unit) {
    if (sameQuantity(answer, mention)) return true;
    return false;
  }
  // 25 % is also a quarter and 0.25.
  const ratio =
    answer.unit?.dimension === 'ratio' ? answer : mention.unit?.dimension === 'ratio' ? mention : undefined;
  if (ratio)
    return (
      sameNumber(answer.si, mention.si, 1e-6) &&
      !Number.isInteger(ratio === answer ? mention.value : answer.value)
    );
  if (!answer.unit && !mention.unit) return sameNumber(answer.value, mention.value);
  // One has a unit: a telling number is a leak, a small whole one need not be.
  const telling = Math.abs(answer.value) > 20 || !Number.isInteger(answer.value);
  return telling && sameNumber(answer.value, mention.value);
}

function numeric(question: string, answer: string, type: AnswerType): string | undefined {
  const date = type === 'date' ? parseDate(answer) : undefined;
  if (date) {
    const mention = scanDates(question).find((candidate) => sharesAsked(date, candidate, question));
    return mention?.text;
  }
  const value = quantityOf(answer);
  if (!value) return undefined;
  return scanQuantities(question).find((mention) => !mention.ordinal && sameValue(value, mention))?.text;
}

/**
 * How a question gives an answer away, else undefined. In Math and Coding a number shared with the question is only
 * suspicious (`suspect`): problems state numbers.
 */
export function findLeak(pair: {
  question: string;
  answer: string;
  aliases: string[];
  answerType: AnswerType;
  domain: Domain;
}): { leak?: Leak; suspect: boolean } {
  const lenient = (pair.domain === 'Math' || pair.domain === 'Coding') && NUMERIC.has(pair.answerType);
  for (const answer of [pair.answer, ...pair.aliases]) {
    if (answer.trim() === '') continue;
    const checks = [
      ['LEAK_LITERAL', literal(pair.question, answer)],
      [
        'LEAK_NUMERIC',
        NUMERIC.has(pair.answerType) ? numeric(pair.question, answer, pair.answerType) : undefined,
      ],
      // Numbers are compared by value: "5 May" and "5 June" share 80 % of nothing that matters.
      [
        'LEAK_NORMALISED',
        NUMERIC.has(pair.answerType) ? undefined : normalised(fold(pair.question), fold(answer)),
      ],
    ] as const;
    const hit = checks.find(([, found]) => found !== undefined);
    if (!hit) continue;
    if (lenient) return { suspect: true };
    return { leak: { code: hit[0], answer, found: hit[1]! }, suspect: false };
  }
  return { suspect: false };
}
