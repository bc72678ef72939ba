/** Commands of TeX that begin like a JSON escape for a newline or a tab and mean nothing else as a word. */
const ALWAYS = new Set(
  'nabla neq notin nleq ngeq times text textbf textit textrm tfrac theta tau tilde therefore triangle'.split(
    ' ',
  ),
);
/** Commands that could as well be a newline or tab and the beginning of a word: only where the string shows other TeX. */
const WITH_TEX = new Set('ne nu ni not neg tan tanh to top'.split(' '));

const JSON_ESCAPES = '"\\/bfnrtu';
const HEX4 = /^[0-9a-fA-F]{4}/;
const WORD = /[A-Za-z]+/y;

/**
 * Doubles the backslashes of TeX that a model forgot to double inside JSON strings, in either quote, so that a parser
 * neither refuses them nor reads `\frac` as a form feed and `rac` (model-inference section 5, rule 5). Pairs `\\` stay.
 *
 * Doubled before: what is no JSON escape; `u` without four hex digits; `b` and `f`; `r` before a letter; the `n` and
 * `t` of the exact TeX commands above, the ambiguous ones only where the string shows other TeX: `$`, `\(` or a
 * doubling by one of the rules before.
 *
 * @example guardEscapes(String.raw`{"a":"\frac{1}{2}"}`) // {text: '{"a":"\\\\frac{1}{2}"}', doubled: 1}
 */
export function guardEscapes(text: string): { text: string; doubled: number } {
  if (!text.includes('\\')) return { text, doubled: 0 };
  let out = '';
  let doubled = 0;
  let at = 0;
  while (at < text.length) {
    const quote = text[at]!;
    if (quote !== '"' && quote !== "'") {
      out += quote;
      at++;
      continue;
    }
    const end = stringEnd(text, at);
    const places = placesToDouble(text, at + 1, end, quote);
    let from = at;
    for (const place of places) {
      out += `${text.slice(from, place)}\\`;
      from = place;
    }
    out += text.slice(from, end + 1);
    doubled += places.length;
    at = end + 1;
  }
  return { text: out, doubled };
}

/** The index of the quote that closes the string opened at `start`, or of the last character. */
export function stringEnd(text: string, start: number): number {
  const quote = text[start];
  let at = start + 1;
  while (at < text.length && text[at] !== quote) at += text[at] === '\\' ? 2 : 1;
  return Math.min(at, text.length - 1);
}

function placesToDouble(text: string, start: number, end: number, quote: string): number[] {
  const certain: number[] = [];
  const ambiguous: number[] = [];
  let tex = text.slice(start, end).includes('$');
  for (let at = text.indexOf('\\', start); at >= 0 && at < end; at = text.indexOf('\\', at)) {
    const next = text[at + 1] ?? '';
    if (next === '\\') {
      if (text[at + 2] === '(') tex = true;
      at += 2;
      continue;
    }
    const certainty = next === quote ? undefined : meaning(text, at + 1, next);
    if (certainty === 'tex') certain.push(at);
    else if (certainty === 'either') ambiguous.push(at);
    at += 2;
  }
  if (!tex && certain.length === 0) return [];
  return [...certain, ...ambiguous].sort((a, b) => a - b);
}

/** What the escape of `next` at `at` is: TeX for certain, TeX or white space, or (undefined) a JSON escape. */
function meaning(text: string, at: number, next: string): 'tex' | 'either' | undefined {
  if (!JSON_ESCAPES.includes(next) || next === '') return 'tex';
  if (next === 'u') return HEX4.test(text.slice(at + 1, at + 5)) ? undefined : 'tex';
  if (next === 'b' || next === 'f') return 'tex';
  if (next === 'r') return /[A-Za-z]/.test(text[at + 1] ?? '') ? 'tex' : undefined;
  if (next !== 'n' && next !== 't') return undefined;
  WORD.lastIndex = at;
  const word = WORD.exec(text)![0];
  if (ALWAYS.has(word)) return 'tex';
  return WITH_TEX.has(word) ? 'either' : undefined;
}
