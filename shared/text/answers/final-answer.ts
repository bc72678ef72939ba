/** Where the answer stands in a text that says more, and the text without its dress (specification tool-library, section 8). */

/** Longer texts are read from their end. */
const MAX_LENGTH = 100_000;
/** Boxes that do not close, and marks that nothing follows, passed over. */
const MAX_TRIES = 20;

const MARKER = /final answers?|answers? is|####/gi;
const ENDS_SENTENCE = /[.!?](?=\s+[\p{Lu}\p{N}"'(*])/gu;

/** The content of the last `\boxed{…}` whose braces balance. */
function boxed(text: string): string | undefined {
  let at = text.length;
  for (let tries = 0; tries < MAX_TRIES && at > 0; tries++) {
    at = text.lastIndexOf('\\boxed', at - 1);
    if (at < 0) break;
    let index = at + 6;
    while (text[index] === ' ') index++;
    if (text[index] !== '{') continue;
    const start = index + 1;
    let depth = 0;
    for (; index < text.length; index++) {
      const char = text[index];
      if (char === '\\') index++;
      else if (char === '{') depth++;
      else if (char === '}' && --depth === 0) return text.slice(start, index).trim();
    }
  }
  return undefined;
}

/** What follows the last "final answer", "answer is" or `####`: the rest of its line or the next one, to the end of the sentence. */
function marked(text: string): string | undefined {
  const ends = [...text.matchAll(MARKER)].map((match) => match.index + match[0].length).reverse();
  for (const end of ends.slice(0, MAX_TRIES)) {
    const after = text
      .slice(end)
      .replace(/^(?:\s|[:*_#>]|is\b|=(?!=))+/i, '')
      .split('\n', 1)[0]!
      .trim();
    if (after === '' || /^[.,;]/.test(after)) continue;
    for (const stop of after.matchAll(ENDS_SENTENCE)) {
      const word = /[\p{L}\p{N}]*$/u.exec(after.slice(Math.max(0, stop.index - 40), stop.index))![0];
      // "Dr. No" and "St. Petersburg" go on.
      if (stop[0] !== '.' || !/^\p{Lu}\p{L}{0,2}$/u.test(word)) return after.slice(0, stop.index);
    }
    return after;
  }
  return undefined;
}

/**
 * The answer within a reply: the last balanced `\boxed{…}`, else what follows the last "final answer", "answer is" or
 * `####`, else the whole text. Trimmed, otherwise as it stands.
 */
export function finalAnswer(text: string): string {
  const tail = text.length > MAX_LENGTH ? text.slice(-MAX_LENGTH) : text;
  return boxed(tail) ?? marked(tail) ?? tail.trim();
}

const GLYPHS: Record<string, string> = {
  '½': '1/2', '⅓': '1/3', '⅔': '2/3', '¼': '1/4', '¾': '3/4', '⅕': '1/5', '⅖': '2/5', '⅗': '3/5', '⅘': '4/5',
  '⅙': '1/6', '⅚': '5/6', '⅛': '1/8', '⅜': '3/8', '⅝': '5/8', '⅞': '7/8',
}; // prettier-ignore
const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

const TEXT_COMMAND =
  /\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mbox|operatorname)\*?\s*\{([^{}]*)\}/g;

/**
 * An answer without what only dresses it: NFKC; mathematical delimiters, `\text{…}`, `\left`, LaTeX spacing, currency,
 * degree signs (but of °C and °F), bold marks, quotes around the whole, the final full stop and a leading `x =` go.
 */
export function undress(answer: string): string {
  let text = answer
    .replace(/(\p{N})?([½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])/gu, (_, digit: string | undefined, glyph: string) =>
      digit ? `${digit} ${GLYPHS[glyph]}` : GLYPHS[glyph]!,
    )
    .replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, (run) => `^${[...run].map((char) => SUPERSCRIPTS.indexOf(char)).join('')}`)
    .normalize('NFKC')
    .replace(/[−‐‑‒–]/g, '-')
    .replace(/[“”]/g, '"')
    .replace(/[‘’]/g, "'");
  for (let round = 0; round < 5 && TEXT_COMMAND.test(text); round++)
    text = text.replace(TEXT_COMMAND, ' $1 ');
  text = text
    .replace(/\\(?:left|right|bigl|bigr|Bigl|Bigr|big|Big|displaystyle|limits)(?![A-Za-z])/g, '')
    .replace(/\\[()[\]]/g, '')
    .replace(/\\[,!]/g, '')
    .replace(/\\[;: ]|\\q?quad(?![A-Za-z])|~/g, ' ')
    .replace(/\\%/g, '%')
    .replace(/\\([{}])/g, '$1')
    .replace(/\\?\$|[€£¥]/g, '')
    .replace(/\^\s*(?:\\circ|\{\s*\\circ\s*\}|∘)|\\degree(?![A-Za-z])/g, '°')
    .replace(/°(?!\s?[CF](?![A-Za-z]))/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  text = text.replace(/^\*\*([^*]+)\*\*$/, '$1').replace(/^`([^`]+)`$/, '$1');
  if (text.endsWith('.') && !text.endsWith('..')) text = text.slice(0, -1).trim();
  text = text.replace(/^"([^"]+)"$/, '$1').replace(/^'([^']+)'$/, '$1');
  const named = NAMED.exec(text);
  return (named ? named[2]! : text).trim();
}

const NAMED = /^([A-Za-z]\w{0,30}(?:\([A-Za-z](?: ?, ?[A-Za-z])*\)|_\{\w{1,20}\})?) ?= ?([^=,;]+)$/;

/** Name and value of `x = 5`, else undefined. */
export function named(text: string): { name: string; value: string } | undefined {
  const match = NAMED.exec(text.trim());
  return match ? { name: match[1]!, value: match[2]! } : undefined;
}

/** The form that texts are compared in: undressed, lower case, spaces collapsed, no punctuation at the end. */
export const comparableText = (answer: string): string =>
  withoutEnd((undress(answer) || answer).toLowerCase().replace(/\s+/g, ' ').trim());

/** A text without punctuation at its end. */
export function withoutEnd(text: string): string {
  let end = text.length;
  while (end > 0 && ' .,;:!?'.includes(text[end - 1]!)) end--;
  return text.slice(0, end);
}
