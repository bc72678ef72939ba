/** Lists within answers: ordered in parentheses or brackets, unordered in braces, bare, or of a ± (specification tool-library, section 8). */

export interface ListText {
  ordered: boolean;
  items: string[];
  /** Written without any brackets. */
  bare: boolean;
}

const OPEN = '([{';
const CLOSE = ')]}';
const MAX_LENGTH = 100_000;

/** Whether the bracket that opens the text closes at its end, whatever the shapes of the brackets. */
export function isEnclosed(text: string): boolean {
  if (text.length < 2 || !OPEN.includes(text[0]!) || !CLOSE.includes(text.at(-1)!)) return false;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index]!;
    if (OPEN.includes(char)) depth++;
    else if (CLOSE.includes(char) && --depth === 0) return index === text.length - 1;
  }
  return false;
}

/** Parts between commas outside brackets. Commas between groups of three digits stand where other commas have a space. */
export function splitAtCommas(text: string, options: { words?: boolean; digits?: boolean } = {}): string[] {
  const parts: string[] = [];
  const spaced = options.digits === true || /,\s/.test(text) || /;/.test(text);
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index]!;
    if (OPEN.includes(char)) depth++;
    else if (CLOSE.includes(char)) depth--;
    if (depth !== 0) continue;
    if (char === ',' || char === ';') {
      const groups =
        spaced && /\d/.test(text[index - 1] ?? '') && /^,\d{3}(?!\d)/.test(text.slice(index, index + 5));
      if (char === ',' && groups) continue;
      parts.push(text.slice(start, index));
      start = index + 1;
    } else if (options.words && char === ' ') {
      const word = /^ (?:and|or|&) /i.exec(text.slice(index, index + 5));
      if (!word) continue;
      parts.push(text.slice(start, index));
      index += word[0].length - 1;
      start = index;
    }
  }
  parts.push(text.slice(start));
  const trimmed = parts.map((part) => part.trim());
  // "1, 2, and 3": the comma before the word leaves nothing, or the word itself, behind.
  return options.words
    ? trimmed
        .map((part) => part.replace(/^(?:and|or|&) /i, '').trim())
        .filter((part, index, all) => part !== '' || all.length < 3 || index === 0)
    : trimmed;
}

/** Reads an undressed text as a list, else undefined. */
export function readList(text: string): ListText | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  if (isEnclosed(text)) {
    const open = text[0]!;
    const inner = text.slice(1, -1).trim();
    if (CLOSE[OPEN.indexOf(open)] !== text.at(-1)) return undefined;
    if (inner === '') return { ordered: open !== '{', items: [], bare: false };
    const items = splitAtCommas(inner);
    // (1,) is Python's.
    if (open === '(' && items.length === 2 && items[1] === '') items.pop();
    else if (open === '(' && items.length < 2) return undefined;
    return items.includes('') ? undefined : { ordered: open !== '{', items, bare: false };
  }
  if (/\\pm(?![A-Za-z])|±/.test(text)) {
    const minus = '+(-1)*';
    const sign = (to: string, other: string): string =>
      text.replace(/\\pm(?![A-Za-z])|±/g, to).replace(/\\mp(?![A-Za-z])|∓/g, other);
    return { ordered: false, items: [sign('+', minus), sign(minus, '+')], bare: false };
  }
  if (!/[,;]| (?:and|or|&) /i.test(text)) return undefined;
  const items = splitAtCommas(text, { words: true });
  return items.length < 2 || items.includes('') ? undefined : { ordered: false, items, bare: true };
}

export interface IntervalText {
  /** `[`, `(`, and the end's `]`, `)`. */
  from: string;
  to: string;
  closedFrom: boolean;
  closedTo: boolean;
}

const INFINITE = /^[+-]? ?(?:∞|\\infty|oo|inf|infinity)$/i;

/** Reads an interval or a union of them: infinite ends or mixed brackets tell it from a pair. */
export function readIntervals(text: string): IntervalText[] | undefined {
  if (text.length > MAX_LENGTH || !/^[([]/.test(text)) return undefined;
  const parts = text.split(/\\cup(?![A-Za-z])|∪| U (?=[([])/).map((part) => part.trim());
  const intervals: IntervalText[] = [];
  let telling = parts.length > 1;
  for (const part of parts) {
    if (!isEnclosed(part) || part.startsWith('{')) return undefined;
    const ends = splitAtCommas(part.slice(1, -1));
    if (ends.length !== 2 || ends.includes('')) return undefined;
    const closedFrom = part.startsWith('[');
    const closedTo = part.endsWith(']');
    if (closedFrom !== closedTo || ends.some((end) => INFINITE.test(end))) telling = true;
    intervals.push({ from: ends[0]!, to: ends[1]!, closedFrom, closedTo });
  }
  return telling ? intervals : undefined;
}
