import { jsonrepair } from 'jsonrepair';
import { stringEnd } from './escape-guard.ts';
import { parseStrict } from './strict.ts';

/** The longest candidate that is repaired, in bytes of UTF-8. */
const MAX_REPAIR_BYTES = 65_536;

export type Repair = 'python-literal' | 'raw-newline' | 'trailing-comma' | 'single-quote';

const PYTHON = new Set(['True', 'False', 'None']);
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /[A-Za-z_]\w*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/g;

/**
 * Repairs the four faults that models make in otherwise whole JSON (model-inference section 5, rule 7): Python's
 * literals, raw line breaks in strings, trailing commas, single quotes. One pass.
 *
 * jsonrepair makes many more guesses than these, some of which change data. So it only sees text whose every token
 * is accounted for here: balanced, guarded, opening with `{` or `[`, without bare words, odd numbers, odd escapes or
 * missing punctuation; and its output is refused unless the root kept its type and every string is one of the source.
 * @returns undefined where the text has other faults.
 */
export function repairJson(text: string): { value: unknown; repairs: Repair[] } | undefined {
  const source = text.trim();
  if (!/^[{[]/.test(source) || Buffer.byteLength(source) > MAX_REPAIR_BYTES) return undefined;
  const read = readTokens(source);
  if (!read || !isLenientJson(read.tokens)) return undefined;
  const repairs = new Set(read.repairs);
  if (hasTrailingComma(read.tokens)) repairs.add('trailing-comma');
  if (repairs.size === 0) return undefined;
  let repaired: string;
  try {
    repaired = jsonrepair(source);
  } catch {
    return undefined;
  }
  const parsed = parseStrict(repaired);
  if (!parsed || Array.isArray(parsed.value) !== (source[0] === '[')) return undefined;
  const known = new Set(read.tokens.flatMap((token) => (token.kind === 'string' ? [token.value] : [])));
  return everyString(parsed.value, (string) => known.has(string))
    ? { value: parsed.value, repairs: [...repairs] }
    : undefined;
}

type Token =
  { kind: 'string'; value: string } | { kind: 'scalar' } | { kind: '{' | '}' | '[' | ']' | ',' | ':' };

/** Splits a text into tokens; undefined where something in it is none. */
function readTokens(text: string): { tokens: Token[]; repairs: Set<Repair> } | undefined {
  const tokens: Token[] = [];
  const repairs = new Set<Repair>();
  let at = 0;
  while (at < text.length) {
    const char = text[at]!;
    if (' \t\r\n'.includes(char)) {
      at++;
    } else if ('{}[],:'.includes(char)) {
      tokens.push({ kind: char as '{' });
      at++;
    } else if (char === '"' || char === "'") {
      const end = stringEnd(text, at);
      const value = text[end] === char && end > at ? stringValue(text.slice(at + 1, end), char) : undefined;
      if (value === undefined) return undefined;
      if (char === "'") repairs.add('single-quote');
      if (/[\n\r\t]/.test(text.slice(at, end))) repairs.add('raw-newline');
      tokens.push({ kind: 'string', value });
      at = end + 1;
    } else {
      const word = match(WORD, text, at);
      const number = word === undefined ? match(NUMBER, text, at) : undefined;
      if (number !== undefined && !isExact(number)) return undefined;
      if (word !== undefined && PYTHON.has(word)) repairs.add('python-literal');
      else if (word !== undefined && !['true', 'false', 'null'].includes(word)) return undefined;
      const length = (word ?? number)?.length;
      // A scalar ends where punctuation or white space begins: `007` and `1x` are no numbers.
      if (!length || !/^[\s,:}\]]?$/.test(text.charAt(at + length))) return undefined;
      tokens.push({ kind: 'scalar' });
      at += length;
    }
  }
  return { tokens, repairs };
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** Integers that a double cannot hold would silently change. */
function isExact(number: string): boolean {
  return !/^-?\d+$/.test(number) || Number.isSafeInteger(Number(number));
}

/** What a string of the source says; undefined where an escape in it is none of JSON's. */
function stringValue(body: string, quote: string): string | undefined {
  const plain =
    quote === "'"
      ? body.replaceAll(/\\.|"/gs, (part) => (part === "\\'" ? "'" : part === '"' ? '\\"' : part))
      : body;
  if (plain.replaceAll(ESCAPE, '').includes('\\')) return undefined;
  const json = plain.replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t');
  const parsed = parseStrict(`"${json}"`);
  return parsed ? (parsed.value as string) : undefined;
}

/** Whether tokens are JSON but for commas before closing brackets. */
function isLenientJson(tokens: Token[]): boolean {
  const stack: ('{' | '[')[] = [];
  /** What may come next. */
  let state: 'value' | 'value or ]' | 'key or }' | ':' | ', or close' = 'value';
  for (const [index, token] of tokens.entries()) {
    const { kind } = token;
    if (state === ', or close' && stack.length === 0) return false;
    if ((kind === '{' || kind === '[') && state.startsWith('value')) {
      stack.push(kind);
      state = kind === '{' ? 'key or }' : 'value or ]';
    } else if (kind === '}' || kind === ']') {
      const open = kind === '}' ? '{' : '[';
      const may = state === ', or close' || state === (kind === '}' ? 'key or }' : 'value or ]');
      // `[,]` holds nothing before its comma.
      if (!may || stack.pop() !== open) return false;
      state = ', or close';
    } else if (kind === ',' && state === ', or close') {
      state = stack.at(-1) === '{' ? 'key or }' : 'value or ]';
    } else if (kind === ':' && state === ':') {
      state = 'value';
    } else if (kind === 'string' && state === 'key or }') {
      state = ':';
    } else if ((kind === 'string' || kind === 'scalar') && state.startsWith('value')) {
      if (index === 0) return false;
      state = ', or close';
    } else return false;
  }
  return state === ', or close' && stack.length === 0;
}

function hasTrailingComma(tokens: Token[]): boolean {
  return tokens.some(({ kind }, index) => kind === ',' && ['}', ']'].includes(tokens[index + 1]?.kind ?? ''));
}

function everyString(value: unknown, test: (string: string) => boolean): boolean {
  if (typeof value === 'string') return test(value);
  if (Array.isArray(value)) return value.every((item) => everyString(item, test));
  if (value === null || typeof value !== 'object') return true;
  return Object.entries(value).every(([key, item]) => test(key) && everyString(item, test));
}
