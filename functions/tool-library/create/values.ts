import type { Json } from '#shared/storage/ports.ts';
import { near } from '../builtin/arithmetic.ts';

/** Sandbox values as a solver reads them, and where they turn up again. */

/** A value in words: numbers and texts as they are, tagged ones without their tags. */
export function valueText(value: Json): string {
  if (typeof value === 'string') return value;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'object' && !Array.isArray(value) && typeof value.$ === 'string') {
    const inner = value.v ?? null;
    if (value.$ === 'Fraction' && Array.isArray(inner)) return inner.map(String).join('/');
    if (Array.isArray(inner)) {
      const items = inner.map(valueText).join(', ');
      return value.$ === 'tuple'
        ? `(${items})`
        : value.$ === 'set' || value.$ === 'frozenset'
          ? `{${items}}`
          : `[${items}]`;
    }
    return typeof inner === 'string' ? inner : JSON.stringify(inner);
  }
  return JSON.stringify(value);
}

/** Whether a value turns up in the arguments of a later call: itself, or its number or text within them. */
export function entersInto(value: Json, args: Json): boolean {
  if (typeof args === 'object' && args !== null) {
    return Object.values(args).some((inner) => entersInto(value, inner));
  }
  if (typeof value === 'number') return typeof args === 'number' && near(value, args);
  if (typeof args === 'number') return near(Number(valueText(value)), args);
  const text = valueText(value);
  return typeof args === 'string' && text.length > 1 && args.includes(text);
}

/** Another value of the same kind: for asking again what would be answered then. */
export function changedValue(text: string): string {
  const number = Number(text);
  return text.trim() !== '' && Number.isFinite(number) ? String(number + 1) : `${text} (changed)`;
}
