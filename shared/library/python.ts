import type { Json } from '#shared/storage/ports.ts';

/** A JSON value as a Python literal: the same value that `json.loads` would give. */
export function pythonLiteral(value: Json): string {
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  // JSON's numbers and escapes are Python's; what JSON leaves as it is in a text, Python does too.
  if (typeof value === 'number' || typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(', ')}]`;
  return `{${Object.entries(value)
    .map(([key, member]) => `${JSON.stringify(key)}: ${pythonLiteral(member)}`)
    .join(', ')}}`;
}

/** `name(a=1, b="x")` */
export const keywordCall = (name: string, values: Record<string, Json>): string =>
  `${name}(${Object.entries(values)
    .map(([parameter, value]) => `${parameter}=${pythonLiteral(value)}`)
    .join(', ')})`;
