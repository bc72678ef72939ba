import type { Json } from '#shared/storage/ports.ts';

/**
 * Values that have canonical JSON. JSON itself lets in what has none: `"\ud800"`, half of a surrogate pair, and `1e999`,
 * which is read as infinity. Rows, values of tools and replies of models may hold both.
 */

/** Whether a value, all its keys included, can be hashed. */
export function isWellFormed(value: Json): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isWellFormed);
  return Object.entries(value).every(([key, inner]) => key.isWellFormed() && isWellFormed(inner));
}

/** The same value with every half of a pair replaced by U+FFFD and every infinity by null; itself where there is none. */
export function wellFormed<T>(value: T): T {
  return isWellFormed(value as Json) ? value : (repaired(value as Json) as T);
}

function repaired(value: Json): Json {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(repaired);
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key.toWellFormed(), repaired(inner)]),
  );
}
