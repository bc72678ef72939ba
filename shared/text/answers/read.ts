import type { Json } from '#shared/storage/ports.ts';
import { readExpression, type Expression } from './expression.ts';
import { comparableText, finalAnswer, named, undress, withoutEnd } from './final-answer.ts';
import { readIntervals, readList } from './lists.ts';
import { numberOf, readNumber, type NumberAnswer } from './number.ts';

/** An answer as what it is: read from text, from JSON, or from a value that the sandbox tagged. */
export type Answer =
  | NumberAnswer
  | { kind: 'boolean'; text: string; value: boolean }
  | {
      kind: 'interval';
      text: string;
      intervals: { from: Answer; to: Answer; closedFrom: boolean; closedTo: boolean }[];
    }
  /** `names` where every item has a name of its own, as in `x = 1, y = 2` and in dictionaries. */
  | { kind: 'list'; text: string; ordered: boolean; bare: boolean; items: Answer[]; names?: string[] }
  | { kind: 'expression'; text: string; expression: Expression }
  | { kind: 'string'; text: string };

const MAX_DEPTH = 12;
/** Items of one answer, in all its lists. */
const MAX_ITEMS = 20_000;

interface Room {
  items: number;
}

const TRUE = /^(?:yes|true|correct)$/i;
const FALSE = /^(?:no|false|incorrect)$/i;

/** Reads one piece of text that holds an answer and nothing else. */
export function readText(text: string, depth = 0, room: Room = { items: MAX_ITEMS }): Answer {
  const bare = undress(text);
  const plain: Answer = { kind: 'string', text: comparableText(text) };
  const word = withoutEnd(bare);
  if (TRUE.test(word) || FALSE.test(word))
    return { kind: 'boolean', text: plain.text, value: TRUE.test(word) };
  const number = readNumber(bare);
  if (number) return number;
  if (depth < MAX_DEPTH) {
    const intervals = readIntervals(bare);
    if (intervals && (room.items -= 2 * intervals.length) >= 0) {
      return {
        kind: 'interval',
        text: plain.text,
        intervals: intervals.map(({ from, to, ...ends }) => ({
          from: readText(from, depth + 1, room),
          to: readText(to, depth + 1, room),
          ...ends,
        })),
      };
    }
    const list = readList(bare);
    if (list && (room.items -= list.items.length) >= 0) {
      const pairs = list.items.map(named);
      const names = pairs.map((pair) => pair?.name);
      const distinct = names.every((name) => name !== undefined) && new Set(names).size === names.length;
      const items = list.items.map((item) => readText(item, depth + 1, room));
      // {5} is the solution 5.
      if (!list.ordered && items.length === 1) return items[0]!;
      return {
        kind: 'list',
        text: plain.text,
        ordered: list.ordered,
        bare: list.bare,
        items,
        ...(distinct ? { names: names as string[] } : {}),
      };
    }
  }
  const expression = readExpression(bare);
  if (expression) return { kind: 'expression', text: plain.text.replace(/ /g, ''), expression };
  return plain;
}

const isObject = (value: Json): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads a gold answer or a value. Texts are searched for their final answer; numbers, booleans, lists and the sandbox's
 * tagged values (`shared/sandbox/types.ts`) are taken as they are.
 */
export function readAnswer(value: Json, depth = 0, room: Room = { items: MAX_ITEMS }): Answer {
  if (typeof value === 'string') return readText(depth === 0 ? finalAnswer(value) : value, depth, room);
  if (typeof value === 'number') return numberOf(value);
  if (typeof value === 'boolean') return { kind: 'boolean', text: String(value), value };
  if (value === null) return { kind: 'string', text: 'none' };
  const unread = (): Answer => ({ kind: 'string', text: JSON.stringify(value) });
  if (depth >= MAX_DEPTH) return unread();
  const list = (items: Json[], ordered: boolean): Answer => {
    if ((room.items -= items.length) < 0) return unread();
    return {
      kind: 'list',
      text: '',
      ordered,
      bare: false,
      items: items.map((item) => readAnswer(item, depth + 1, room)),
    };
  };
  if (Array.isArray(value)) return list(value, true);
  if (typeof value.$ === 'string' && 'v' in value)
    return readTagged(value.$, value.v as Json, list) ?? unread();
  if (!isObject(value)) return unread();
  const names = Object.keys(value).sort();
  const read = list(
    names.map((name) => value[name]!),
    true,
  );
  return read.kind === 'list' ? { ...read, names } : read;
}

function readTagged(
  kind: string,
  body: Json,
  list: (items: Json[], ordered: boolean) => Answer,
): Answer | undefined {
  const texts = Array.isArray(body) && body.every((part) => typeof part === 'string') ? body : [];
  switch (kind) {
    case 'tuple':
      return Array.isArray(body) ? list(body, true) : undefined;
    case 'set':
    case 'frozenset':
      return Array.isArray(body) ? list(body, false) : undefined;
    case 'dict':
      // Pairs in the order of their keys' texts: a dictionary has none of its own.
      return Array.isArray(body) ? list(body, false) : undefined;
    case 'Fraction':
      return texts.length === 2 ? readNumber(`${texts[0]!}/${texts[1]!}`) : undefined;
    case 'int':
    case 'Decimal':
      return typeof body === 'string' ? readNumber(body) : undefined;
    case 'float': {
      const value = typeof body === 'string' ? floatOf(body) : undefined;
      return value === undefined ? undefined : numberOf(value);
    }
    case 'complex': {
      if (texts.length !== 2) return undefined;
      const [real, imaginary] = texts.map((text) => floatOf(text));
      if (real === undefined || imaginary === undefined) return undefined;
      if (imaginary === 0) return numberOf(real);
      return expressionOf(`${real} + (${imaginary})*i`);
    }
    case 'expr':
      if (typeof body !== 'string') return undefined;
      return readNumber(body) ?? expressionOf(body) ?? { kind: 'string', text: comparableText(body) };
    case 'bytes':
      return typeof body === 'string' ? { kind: 'string', text: `bytes:${body}` } : undefined;
    default:
      return undefined;
  }
}

function floatOf(text: string): number | undefined {
  if (/^[+-]?inf$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (text === 'nan') return NaN;
  return text.trim() === '' || Number.isNaN(Number(text)) ? undefined : Number(text);
}

function expressionOf(text: string): Answer | undefined {
  const expression = readExpression(text, { python: true });
  return expression && { kind: 'expression', text: comparableText(text).replace(/ /g, ''), expression };
}
