/** Calendar dates that a text states outright. Never completed from today's date. */

export interface DateParts {
  /** Negative for BC. */
  year?: number;
  /** 1..12 */
  month?: number;
  /** 1..31 */
  day?: number;
  /** 1 is the first century AD, -1 the first BC. */
  century?: number;
  /** First year of a decade, such as 1960. */
  decade?: number;
}

export interface DateMention extends DateParts {
  text: string;
  /** UTF-16 offsets. */
  start: number;
  end: number;
}

const MONTHS = [
  'january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november',
  'december',
]; // prettier-ignore
const MONTH =
  '(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\\.?';
const DAY = '(?<day>\\d{1,2})(?:st|nd|rd|th)?';
const YEAR = '(?<year>[12]\\d{3}|\\d{1,4}(?=\\s?(?:bce?|ad|ce)\\b))';
const ERA = '(?:\\s?(?<era>bce?|ad|ce)\\b)?';
const B = '(?<![\\p{L}\\p{N}.,/-])';
const E_ = '(?![\\p{L}\\p{N}]|[.,/-]\\d)';

const PATTERNS = [
  `${B}(?<year>\\d{4})-(?<num>\\d{2})-(?<day>\\d{2})${E_}`,
  `${B}${DAY}(?:\\s+of)?\\s+(?<month>${MONTH})(?:,?\\s+${YEAR}${ERA})?${E_}`,
  `${B}(?<month>${MONTH})\\s+${DAY}(?:,?\\s+${YEAR}${ERA})?${E_}`,
  `${B}(?<month>${MONTH}),?\\s+${YEAR}${ERA}${E_}`,
  `${B}(?<num>\\d{1,2})/(?<day>\\d{1,2})/(?<year>[12]\\d{3})${E_}`,
  `${B}(?<decade>[12]\\d{2}0)s${E_}`,
  `${B}(?<century>\\d{1,2})(?:st|nd|rd|th)[\\s-]centur(?:y|ies)${ERA}${E_}`,
  `${B}(?:ad\\s+)${YEAR.replace('(?=\\s?(?:bce?|ad|ce)\\b)', '')}${E_}`,
  `${B}${YEAR}${ERA}${E_}`,
  `${B}(?<month>${MONTHS.filter((month) => month !== 'may' && month !== 'march').join('|')})${E_}`,
].map((source) => new RegExp(source, 'giu'));

const monthOf = (name: string): number => {
  const start = name.toLowerCase().slice(0, 3);
  return MONTHS.findIndex((month) => month.startsWith(start)) + 1;
};

/** Every date of a text: `3 May 1911`, `May 3, 1911`, `5/3/1911` (month first), `1911-05-03`, `May 1911`, `1911`, `300 BC`, `the 1960s`, `19th century`. */
export function scanDates(text: string): DateMention[] {
  const out: DateMention[] = [];
  for (const pattern of PATTERNS) {
    for (const match of text.matchAll(pattern)) {
      const start = match.index;
      const end = start + match[0].length;
      if (out.some((other) => start < other.end && end > other.start)) continue;
      const groups = match.groups!;
      const before = /^bc/i.test(groups.era ?? '') ? -1 : 1;
      const mention: DateMention = { text: match[0], start, end };
      if (groups.year !== undefined) mention.year = before * Number(groups.year);
      if (groups.month !== undefined) mention.month = monthOf(groups.month);
      if (groups.num !== undefined) mention.month = Number(groups.num);
      if (groups.day !== undefined) mention.day = Number(groups.day);
      if (groups.decade !== undefined) mention.decade = Number(groups.decade);
      if (groups.century !== undefined) mention.century = before * Number(groups.century);
      if (mention.month !== undefined && (mention.month < 1 || mention.month > 12)) continue;
      if (mention.day !== undefined && (mention.day < 1 || mention.day > 31)) continue;
      out.push(mention);
    }
  }
  return out.sort((a, b) => a.start - b.start);
}

/** The date a whole text states, else undefined. */
export function parseDate(text: string): DateParts | undefined {
  const trimmed = text
    .trim()
    .replace(/^(?:in|on|the|c\.|ca\.|circa|about)\s+/i, '')
    .replace(/\.$/, '');
  const [mention, ...more] = scanDates(trimmed);
  if (!mention || more.length > 0 || mention.start !== 0 || mention.end !== trimmed.length) return undefined;
  const { text: _text, start: _start, end: _end, ...parts } = mention;
  return parts;
}

const pad = (value: number, width: number): string => String(value).padStart(width, '0');

/** ISO 8601 text with the known components: `1911-05-03`, `1911-05`, `1911`, `--05-03`; `1960s` and `c19` beyond ISO. */
export function isoDate(date: DateParts): string {
  if (date.century !== undefined) return `c${date.century}`;
  if (date.decade !== undefined) return `${date.decade}s`;
  const year = date.year === undefined ? '-' : date.year < 0 ? `-${pad(-date.year, 4)}` : pad(date.year, 4);
  if (date.month === undefined) return date.year === undefined ? '' : year;
  return `${year}-${pad(date.month, 2)}${date.day === undefined ? '' : `-${pad(date.day, 2)}`}`;
}

/** Whether every component that `part` states is the same in `whole`. */
export function dateWithin(part: DateParts, whole: DateParts): boolean {
  for (const key of ['year', 'month', 'day', 'century', 'decade'] as const) {
    if (part[key] !== undefined && part[key] !== whole[key]) return false;
  }
  return true;
}
