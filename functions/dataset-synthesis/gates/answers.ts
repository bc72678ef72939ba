import type { AnswerType, Domain } from '../records.ts';
import { isoDate, parseDate } from '#shared/text/dates.ts';
import { canonicalNumber, parseNumber, sameNumber } from '#shared/text/numbers.ts';
import { scanQuantities, SI_UNIT, type Quantity } from '#shared/text/units.ts';
import { stem } from '#shared/text/stem.ts';

/** Typed answers and their canonical keys (specification section 7, gate 3). */

const APPROXIMATE =
  /^(?:about|around|approximately|approx\.?|roughly|nearly|almost|over|more than|some|circa|ca?\.|~|≈)\s*/i;

const bare = (answer: string): string =>
  answer
    .trim()
    .replace(APPROXIMATE, '')
    .replace(/[.;,]+$/, '')
    .trim();

/** The one quantity an answer consists of: a number and at most five words of unit or noun; undefined otherwise. */
export function quantityOf(answer: string): Quantity | undefined {
  const text = bare(answer);
  const [first, ...more] = scanQuantities(text);
  if (!first || first.ordinal) return undefined;
  // "8.71 births/1,000 population": the second number belongs to the unit.
  if (more.some((other) => text[other.start - 1] !== '/' && !/\bper\s$/.test(text.slice(0, other.start))))
    return undefined;
  const lead = text.slice(0, first.start);
  return /^(?:(?:us|ca|a|nz|hk|eu)?\s?[$€£]|[-−]\s?[$€£])?\s?$/i.test(lead) ? first : undefined;
}

const words = (text: string): string[] => text.trim().split(/\s+/).filter(Boolean);

/** Items of a list answer: split at semicolons, else at commas outside brackets and a last "and". */
export function listItems(answer: string): string[] {
  const text = answer.trim().replace(/\.$/, '');
  const split = text.includes(';') || text.includes('\n') ? text.split(/[;\n]/) : splitCommas(text);
  return split.map((item) => item.replace(/^\s*(?:and|or|&)\s+/i, '').trim()).filter(Boolean);
}

function splitCommas(text: string): string[] {
  // A comma between digits is a separator of thousands.
  const parts = text.split(/,(?!\d{3}(?!\d))(?![^()]*\))/);
  const last = parts.pop() ?? '';
  const pair = /^(.+?)\s+(?:and|&)\s+(.+)$/.exec(last.trim());
  return pair && !/^\s*(?:and|&)\s/.test(last) ? [...parts, pair[1]!, pair[2]!] : [...parts, last];
}

const YEAR_ASKED =
  /\b(?:what|which) (?:year|date|day|month|century|decade)\b|^\W*when\b|\b(?:since|until) when\b|^on (?:what|which)\b.*\b(?:day|date)\b/i;

/** Whether a question asks for a point in time. */
export const asksForDate = (question: string): boolean => YEAR_ASKED.test(question);

const EXPRESSION = /[=^\\_|{}<>[\]]|\w\(|\)\s*[*/+-]|::|->|=>|\d\s*[*/+]\s*\d|√|π|∑|∫|≤|≥|`/;

const LOWER_IN_NAMES =
  /^(?:of|the|and|for|de|da|do|dos|das|del|della|di|du|des|der|den|la|le|les|el|al|van|von|y|e|et|zu|ibn|bin|in|on|to|at|a|an|&)$/;

function looksLikeName(answer: string): boolean {
  const tokens = words(answer.replace(/\([^)]*\)/g, ' ').replace(/["“”]/g, ''));
  const content = tokens.filter((token) => !LOWER_IN_NAMES.test(token));
  return (
    content.length > 0 &&
    content.every((token) =>
      /^[^\p{L}\p{N}]*(?:\p{Lu}|\p{N}|[ʻ‘'’]?\p{Lu}|[a-z]{1,2}[-'’]\p{Lu})/u.test(token),
    ) &&
    /\p{Lu}/u.test(content[0]!)
  );
}

/** Leading zeros make digits an identifier, not a number. */
const identifier = (text: string): boolean => /^0\d/.test(text);

/**
 * The type of an answer, computed from the answer and what the question asks; the model's own word (`hint`) decides
 * only between readings that fit.
 */
export function answerTypeOf(answer: string, question: string, hint: AnswerType, domain: Domain): AnswerType {
  const text = bare(answer);
  if (/^(?:yes|no|true|false)[.!]?$/i.test(answer.trim())) return 'boolean';
  const technical = domain === 'Math' || domain === 'Coding';
  if (!identifier(text)) {
    const date = parseDate(text);
    const plainYear = /^\d{1,4}$/.test(text);
    if (date && (!plainYear || asksForDate(question) || (hint === 'date' && /^[12]\d{3}$/.test(text))))
      return 'date';
    if (parseNumber(text) !== undefined) return 'number';
  }
  if (hint === 'expression' && (technical || EXPRESSION.test(text) || !/\s/.test(text))) return 'expression';
  const items = listItems(text);
  const manyWords = items.some((item) => words(item).length > 6);
  if (items.length >= 2 && !manyWords && (hint === 'list' || text.includes(';'))) return 'list';
  if (!identifier(text) && quantityOf(text)) return 'quantity';
  if (technical && EXPRESSION.test(text)) return 'expression';
  if (items.length >= 3 && !manyWords) return 'list';
  return looksLikeName(text) ? 'name' : 'phrase';
}

/** A phrase without case, articles, punctuation and accents of writing; numbers canonical. */
function phraseKey(text: string): string {
  const plain = text.normalize('NFKC').toLowerCase();
  const key = plain
    .replace(/(?<=\p{N}),(?=\d{3}(?!\d))/gu, '')
    .replace(/(?<=\p{L})['’](?=\p{L})/gu, '')
    .replace(/(?<!\p{N})\.|\.(?!\p{N})|[^\p{L}\p{M}\p{N}\p{S}.\s]/gu, ' ')
    .replace(/\b(?:a|an|the)\b/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  // An answer of punctuation alone (`---`) is still an answer.
  return key === '' ? plain.replace(/\s+/g, ' ').trim() : key;
}

function quantityKey(answer: string): string {
  const quantity = quantityOf(answer);
  if (!quantity) return phraseKey(answer);
  const text = bare(answer);
  const rest = text.slice(quantity.end).trim();
  const tail = rest === '' ? '' : ` ${phraseKey(rest).split(' ').map(stem).join(' ')}`;
  if (!quantity.unit) return `${canonicalNumber(quantity.value)}${tail}`;
  const unit = SI_UNIT[quantity.unit.dimension] ?? quantity.unit.dimension.replace('money:', '');
  return `${canonicalNumber(quantity.si)} ${unit}${tail}`;
}

/** The canonical form by which two answers of one type are equal. Never empty for a non-empty answer. */
export function answerKey(answer: string, type: AnswerType): string {
  const text = bare(answer) || answer.trim();
  switch (type) {
    case 'number': {
      const value = identifier(text) ? undefined : parseNumber(text);
      return value === undefined ? phraseKey(text) : canonicalNumber(value);
    }
    case 'quantity':
      return quantityKey(text);
    case 'date': {
      const date = parseDate(text);
      return (date && isoDate(date)) || phraseKey(text);
    }
    case 'list':
      return [...new Set(listItems(text).map((item) => itemKey(item)))].sort().join('; ');
    case 'expression':
      return (
        answer
          .normalize('NFKC')
          .replace(/\s+/g, '')
          .replace(/^(?:\$+|`+)|(?:\$+|`+)$/g, '') || answer.trim()
      );
    case 'boolean':
      return /^(?:yes|true)/i.test(text) ? 'true' : 'false';
    case 'name':
    case 'phrase':
      return phraseKey(text);
  }
}

const itemKey = (item: string): string => (quantityOf(item) ? quantityKey(item) : phraseKey(item));

/**
 * Whether a candidate answers a record's question, for reward functions: true and false where keys decide it,
 * undefined where only a judge can tell (free phrases that differ, a name given in part).
 *
 * @example matchAnswer(record, 'about 5,000 metres') // true for the answer "5 km"
 */
export function matchAnswer(
  record: { answer: string; answerType: AnswerType; answerKey: string; answerAliases?: string[] },
  candidate: string,
): boolean | undefined {
  const given = candidate.trim();
  if (given === '') return false;
  const type = record.answerType;
  const key = answerKey(given, type);
  const accepted = [record.answerKey, ...(record.answerAliases ?? []).map((alias) => answerKey(alias, type))];
  if (accepted.includes(key)) return true;
  switch (type) {
    case 'number': {
      const value = parseNumber(bare(given)) ?? quantityOf(given)?.value;
      if (value === undefined) return /\d/.test(given) ? undefined : false;
      return accepted.some((other) => sameNumber(Number(other), value));
    }
    case 'quantity': {
      const mine = quantityOf(given);
      if (!mine) return /\d/.test(given) ? undefined : false;
      const theirs = [record.answer, ...(record.answerAliases ?? [])].map(quantityOf);
      if (
        theirs.some(
          (other) =>
            other?.unit &&
            mine.unit &&
            other.unit.dimension === mine.unit.dimension &&
            sameNumber(other.si, mine.si, 1e-6),
        )
      ) {
        // Equal but for the words behind the unit ("4% of GDP" and "4%").
        return true;
      }
      // A number without its unit may still be meant rightly.
      return theirs.some((other) => other && sameNumber(other.value, mine.value)) ? undefined : false;
    }
    case 'date':
      return parseDate(bare(given)) ? false : undefined;
    case 'boolean':
      return /^(?:yes|no|true|false)\b/i.test(given) ? false : undefined;
    case 'name':
    case 'phrase':
    case 'list':
    case 'expression': {
      const mine = new Set(phraseKey(given).split(' '));
      const shares = accepted.some((other) => other.split(/[ ;]+/).some((word) => mine.has(word)));
      return type === 'name' && !shares ? false : undefined;
    }
  }
}
