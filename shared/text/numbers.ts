/** Numbers as English text writes them: digits, separators, scale words, number words, fractions. */

export interface NumberMention {
  value: number;
  text: string;
  /** UTF-16 offsets. */
  start: number;
  end: number;
  /** `third`, `21st`. */
  ordinal: boolean;
}

const UNITS = [
  'zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve',
  'thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen', 'nineteen',
]; // prettier-ignore
const TENS = ['', '', 'twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety'];
const ORDINALS = [
  'zeroth', 'first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth',
  'eleventh', 'twelfth', 'thirteenth', 'fourteenth', 'fifteenth', 'sixteenth', 'seventeenth', 'eighteenth',
  'nineteenth',
]; // prettier-ignore

const small = new Map<string, number>();
UNITS.forEach((word, value) => small.set(word, value));
TENS.forEach((word, index) => word && small.set(word, index * 10));
const ordinal = new Map<string, number>();
ORDINALS.forEach((word, value) => ordinal.set(word, value));
TENS.forEach((word, index) => word && ordinal.set(word.replace(/y$/, 'ieth'), index * 10));

const SCALES = new Map<string, number>([
  ['thousand', 1e3],
  ['million', 1e6],
  ['billion', 1e9],
  ['trillion', 1e12],
  ['k', 1e3],
  ['m', 1e6],
  ['bn', 1e9],
]);
const FRACTIONS = new Map<string, number>([
  ['half', 2],
  ['third', 3],
  ['thirds', 3],
  ['quarter', 4],
  ['quarters', 4],
  ['fourths', 4],
  ['fifth', 5],
  ['fifths', 5],
  ['sixths', 6],
  ['eighths', 8],
  ['tenth', 10],
  ['tenths', 10],
]);
const GLYPHS = new Map<string, number>([
  ['½', 1 / 2], ['⅓', 1 / 3], ['⅔', 2 / 3], ['¼', 1 / 4], ['¾', 3 / 4], ['⅛', 1 / 8], ['⅜', 3 / 8], ['⅝', 5 / 8],
  ['⅞', 7 / 8],
]); // prettier-ignore

// Digits: grouped by commas or thin spaces, or plain; a decimal part; no letter or digit on either side.
const DIGITS =
  /(?<![\p{L}\p{N}_]|[\p{N}][.,:])(?<sign>[-−–](?=[\d.]))?(?<whole>\d{1,3}(?:,\d{3})+|\d{1,3}(?:[  ’]\d{3})+|\d+)?(?<decimal>\.\d+)?(?<exponent>[eE][+-]?\d{1,3}(?![\p{L}\p{N}]))?(?<ordinal>(?:st|nd|rd|th)(?![\p{L}\p{N}]))?/gu;

const WORDS = /\p{L}+/gu;

const near = (text: string, from: number, to: number): boolean => /^[\s-]{1,2}$/.test(text.slice(from, to));

interface Token {
  word: string;
  start: number;
  end: number;
}

/** Reads one number in words that starts at token `from`; undefined where none does. */
function readWords(
  text: string,
  tokens: Token[],
  from: number,
): { mention: NumberMention; next: number } | undefined {
  let total = 0;
  let group = 0;
  let seen = false;
  let isOrdinal = false;
  let index = from;
  let end = 0;
  let last: 'unit' | 'ten' | 'scale' | undefined;
  const first = tokens[from]!;
  for (; index < tokens.length; index++) {
    const token = tokens[index]!;
    const previous = tokens[index - 1];
    if (index > from && previous && !near(text, previous.end, token.start)) break;
    const value = small.get(token.word);
    const rank = ordinal.get(token.word);
    const scale = token.word.length > 2 ? SCALES.get(token.word) : undefined;
    if (value !== undefined) {
      const isTen = value >= 20;
      if (last === 'unit' || (last === 'ten' && (isTen || value >= 10 || value === 0))) break;
      group += value;
      last = isTen ? 'ten' : 'unit';
    } else if (
      rank !== undefined &&
      index > from &&
      (last === 'ten' || last === 'scale') &&
      rank < (last === 'ten' ? 10 : 100)
    ) {
      group += rank;
      isOrdinal = true;
      end = token.end;
      index++;
      break;
    } else if (rank !== undefined && index === from) {
      group = rank;
      isOrdinal = true;
      seen = true;
      end = token.end;
      index++;
      break;
    } else if (token.word === 'hundred' && seen && group > 0 && group < 100) {
      group *= 100;
      last = 'scale';
    } else if (scale !== undefined && seen && group > 0) {
      total += group * scale;
      group = 0;
      last = 'scale';
    } else if (token.word === 'and' && last === 'scale') {
      const following = tokens[index + 1];
      if (!following || !(small.has(following.word) || ordinal.has(following.word))) break;
      continue;
    } else break;
    seen = true;
    end = token.end;
  }
  if (!seen) return undefined;
  const mention: NumberMention = {
    value: total + group,
    text: text.slice(first.start, end),
    start: first.start,
    end,
    ordinal: isOrdinal,
  };
  return { mention, next: index };
}

/** `half`, `a quarter`, `two thirds`, `one-fifth` and their kind. */
function readFraction(
  text: string,
  tokens: Token[],
  from: number,
): { mention: NumberMention; next: number } | undefined {
  const first = tokens[from]!;
  const second = tokens[from + 1];
  if (first.word === 'half') {
    return {
      mention: { value: 0.5, text: 'half', start: first.start, end: first.end, ordinal: false },
      next: from + 1,
    };
  }
  if (!second || !near(text, first.end, second.start)) return undefined;
  const over = FRACTIONS.get(second.word);
  if (over === undefined) return undefined;
  const count = first.word === 'a' || first.word === 'one' ? 1 : small.get(first.word);
  if (count === undefined || count === 0 || count >= over) return undefined;
  // "one third" and "a quarter" are fractions; "two third parties" is not.
  if (count > 1 && !second.word.endsWith('s')) return undefined;
  return {
    mention: {
      value: count / over,
      text: text.slice(first.start, second.end),
      start: first.start,
      end: second.end,
      ordinal: false,
    },
    next: from + 2,
  };
}

/**
 * Every number of a text in order of position: `1,200`, `−3.5`, `1.2 million`, `twelve hundred`, `two thirds`, `½`,
 * `1/4`, `21st`. Number words reach 9999 and any scale word beyond. A dash between digits is a range, not a sign.
 */
export function scanNumbers(text: string): NumberMention[] {
  const out: NumberMention[] = [];
  let consumed = 0;
  for (const match of text.matchAll(DIGITS)) {
    if (match.index < consumed) continue;
    const groups = match.groups!;
    if (groups.whole === undefined && groups.decimal === undefined) continue;
    let start = match.index;
    let end = start + match[0].length;
    if (
      /[\p{L}_]/u.test(text[end] ?? '') &&
      !groups.ordinal &&
      !/^(?:k|m|bn|°|km|cm|mm|kg|g|l|ml|s|h|kw|mw|gw|kwh|hz|khz|mhz|ghz|gb|mb|kb|tb|v|w|a|nm|ft|in|x)(?![\p{L}])/iu.test(
        text.slice(end, end + 4),
      )
    ) {
      continue;
    }
    let value = Number(
      `${(groups.whole ?? '0').replace(/[,  ’]/g, '')}${groups.decimal ?? ''}${groups.exponent ?? ''}`,
    );
    if (!Number.isFinite(value)) continue;
    if (groups.sign) {
      const before = text[start - 1] ?? ' ';
      if (/[\s(\[$€£=:,]/.test(before)) value = -value;
      else start += 1;
    } else if (
      /[$€£]/.test(text[start - 1] ?? '') &&
      /[-−]/.test(text[start - 2] ?? '') &&
      !/[\p{L}\p{N}]/u.test(text[start - 3] ?? ' ')
    ) {
      value = -value;
    }
    const fraction = /^\s?\/\s?(\d{1,4})(?![\d,/.])/.exec(text.slice(end, end + 8));
    const glyph =
      GLYPHS.get(text[end] ?? '') ?? (text[end] === ' ' ? GLYPHS.get(text[end + 1] ?? '') : undefined);
    if (
      fraction &&
      Number(fraction[1]) > 0 &&
      Number.isInteger(value) &&
      value < Number(fraction[1]) &&
      text[start - 1] !== '/'
    ) {
      value /= Number(fraction[1]);
      end += fraction[0].length;
    } else if (glyph !== undefined) {
      value += Math.sign(value || 1) * glyph;
      end += text[end] === ' ' ? 2 : 1;
    } else if (!groups.ordinal) {
      const scale =
        /^(?:(?<tight>k|bn|m)(?![\p{L}\p{N}])|[\s-](?<loose>thousand|million|billion|trillion|bn)(?![\p{L}]))/iu.exec(
          text.slice(end, end + 12),
        );
      const word = (scale?.groups?.tight ?? scale?.groups?.loose)?.toLowerCase();
      // A tight "m" is metres unless money stands before it.
      if (word && !(scale?.groups?.tight && word === 'm' && !/[$€£]/.test(text[start - 1] ?? ''))) {
        value *= SCALES.get(word)!;
        end += scale![0].length;
      }
    }
    consumed = end;
    out.push({
      value: tidy(value),
      text: text.slice(start, end),
      start,
      end,
      ordinal: groups.ordinal !== undefined,
    });
  }
  for (const match of text.matchAll(/[½⅓⅔¼¾⅛⅜⅝⅞]/g)) {
    if (out.some((mention) => match.index >= mention.start && match.index < mention.end)) continue;
    out.push({
      value: GLYPHS.get(match[0])!,
      text: match[0],
      start: match.index,
      end: match.index + 1,
      ordinal: false,
    });
  }
  const tokens: Token[] = [...text.matchAll(WORDS)].map((match) => ({
    word: match[0].toLowerCase(),
    start: match.index,
    end: match.index + match[0].length,
  }));
  for (let index = 0; index < tokens.length;) {
    const word = tokens[index]!.word;
    const candidate = word === 'a' || word === 'half' || small.has(word) || ordinal.has(word);
    const read = candidate
      ? (readFraction(text, tokens, index) ?? readWords(text, tokens, index))
      : undefined;
    if (read) {
      out.push(read.mention);
      index = read.next;
    } else index++;
  }
  return out.sort((a, b) => a.start - b.start);
}

/** Rounds away the last bits that decimal scaling leaves (`1.2 million`). */
const tidy = (value: number): number => Number(value.toPrecision(15));

/** The number a whole text stands for, else undefined. */
export function parseNumber(text: string): number | undefined {
  const trimmed = text.trim();
  const [mention, ...more] = scanNumbers(trimmed);
  if (!mention || more.length > 0 || mention.start !== 0 || mention.end !== trimmed.length) return undefined;
  return mention.value;
}

/** Shortest decimal text of a number to 12 significant digits, without exponent below 1e21. */
export function canonicalNumber(value: number): string {
  const rounded = Number(value.toPrecision(12));
  return Object.is(rounded, -0) ? '0' : String(rounded);
}

/** Whether two numbers are equal but for a relative error. */
export const sameNumber = (a: number, b: number, tolerance = 1e-9): boolean =>
  a === b || Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
