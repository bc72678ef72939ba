import { sameExpression, type Expression } from './expression.ts';
import { numberOf, numbersDiffer, readNumber, type Tolerance } from './number.ts';
import type { Answer } from './read.ts';

/** Comparison of answers that were read. */

export interface CompareOptions extends Tolerance {
  seed: number;
  /** Comparisons left; hostile nesting ends in an inequality. */
  room: { comparisons: number };
}

export const MAX_COMPARISONS = 200_000;

/** Beyond this many items that find no equal text, unordered lists differ without a search for the best pairing. */
const MAX_PAIRING = 64;

const constant = (value: number): Expression => ({ identifiers: new Set(), evaluate: () => value });

/** Whether `value` answers what `gold` does; undefined where it does, else why not. Gold's kind decides. */
export function differ(gold: Answer, value: Answer, options: CompareOptions): string | undefined {
  if (options.room.comparisons-- <= 0) return 'The answers are too large to compare.';
  const other = `${gold.kind} expected, ${value.kind} given.`;
  switch (gold.kind) {
    case 'boolean':
      if (value.kind !== 'boolean') return other;
      return gold.value === value.value ? undefined : `${value.value} is not ${gold.value}.`;
    case 'number':
      if (value.kind === 'number') return numbersDiffer(gold, value, options);
      if (value.kind === 'expression' && value.expression.identifiers.size === 0) {
        return numbersDiffer(gold, numberOf(value.expression.evaluate(new Map())), options);
      }
      if (value.kind === 'expression' && gold.unit !== undefined) {
        const measured = readNumber(value.text, { letters: true });
        if (measured) return numbersDiffer(gold, measured, options);
      }
      return other;
    case 'interval':
      return value.kind === 'interval' ? intervalsDiffer(gold, value, options) : other;
    case 'list':
      return value.kind === 'list' ? listsDiffer(gold, value, options) : other;
    case 'expression': {
      if (value.kind === 'expression' || value.kind === 'number') {
        // `5m` is metres where both say so, else five times m.
        const a = readNumber(gold.text, { letters: true });
        const b = value.kind === 'number' ? value : readNumber(value.text, { letters: true });
        if (a?.unit !== undefined && b?.unit !== undefined) return numbersDiffer(a, b, options);
        if (value.kind === 'number' && value.unit !== undefined) return other;
        const expression = value.kind === 'number' ? constant(value.value) : value.expression;
        if (sameExpression(gold.expression, expression, options, options.seed)) return undefined;
      }
      return compact(value) === gold.text ? undefined : 'The expressions differ.';
    }
    case 'string':
      return value.text === gold.text || value.text.toLowerCase() === gold.text
        ? undefined
        : 'The texts differ.';
  }
}

const compact = (answer: Answer): string => answer.text.replace(/ /g, '').toLowerCase();

type Intervals = Extract<Answer, { kind: 'interval' }>;

function intervalsDiffer(gold: Intervals, value: Intervals, options: CompareOptions): string | undefined {
  const same = (a: Intervals['intervals'][number], b: Intervals['intervals'][number]): boolean =>
    a.closedFrom === b.closedFrom &&
    a.closedTo === b.closedTo &&
    differ(a.from, b.from, options) === undefined &&
    differ(a.to, b.to, options) === undefined;
  return paired(gold.intervals, value.intervals, same) ? undefined : 'The intervals differ.';
}

type List = Extract<Answer, { kind: 'list' }>;

function listsDiffer(gold: List, value: List, options: CompareOptions): string | undefined {
  if (gold.items.length !== value.items.length) {
    return `${gold.items.length} items expected, ${value.items.length} given.`;
  }
  const same = (a: Answer, b: Answer): boolean => differ(a, b, options) === undefined;
  if (gold.names && value.names) {
    const at = new Map(value.names.map((name, index) => [name, value.items[index]!]));
    const wrong = gold.names.find((name, index) => !at.has(name) || !same(gold.items[index]!, at.get(name)!));
    return wrong === undefined ? undefined : `${wrong} differs.`;
  }
  if (gold.ordered) {
    if (!value.ordered && !value.bare) return 'An ordered answer expected, an unordered one given.';
    const wrong = gold.items.findIndex((item, index) => !same(item, value.items[index]!));
    return wrong < 0 ? undefined : `Item ${wrong + 1} differs.`;
  }
  return paired(gold.items, value.items, same) ? undefined : 'The items differ.';
}

/** Whether the elements of two lists can be paired, each with one it equals. */
function paired<T>(golds: readonly T[], values: readonly T[], same: (gold: T, value: T) => boolean): boolean {
  if (golds.length !== values.length) return false;
  // In the same order, the common case, nothing has to be searched.
  if (golds.every((gold, index) => same(gold, values[index]!))) return true;
  if (golds.length > MAX_PAIRING) return pairedSorted(golds, values, same);
  const partner = new Array<number>(values.length).fill(-1);
  const place = (gold: number, tried: Set<number>): boolean => {
    for (let index = 0; index < values.length; index++) {
      if (tried.has(index) || !same(golds[gold]!, values[index]!)) continue;
      tried.add(index);
      if (partner[index]! < 0 || place(partner[index]!, tried)) {
        partner[index] = gold;
        return true;
      }
    }
    return false;
  };
  return golds.every((_, gold) => place(gold, new Set()));
}

/** Large sets pair in sorted order: by number, then by text. */
function pairedSorted<T>(
  golds: readonly T[],
  values: readonly T[],
  same: (gold: T, value: T) => boolean,
): boolean {
  const key = (item: T): { value: number; text: string } => {
    const { value, text } = item as { value?: unknown; text?: unknown };
    return { value: typeof value === 'number' ? value : 0, text: typeof text === 'string' ? text : '' };
  };
  const sorted = (items: readonly T[]): T[] =>
    [...items].sort((a, b) => {
      const x = key(a);
      const y = key(b);
      return x.value - y.value || (x.text < y.text ? -1 : x.text > y.text ? 1 : 0);
    });
  const right = sorted(values);
  return sorted(golds).every((gold, index) => same(gold, right[index]!));
}
