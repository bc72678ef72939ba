import type { Json } from '#shared/storage/ports.ts';

/** A JSON value as a Python literal: the same value that `json.loads` would give. */
export function pythonLiteral(value: Json): string {
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'number') return numberLiteral(value);
  // JSON's escapes are Python's; what JSON leaves as it is, Python does too.
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(', ')}]`;
  return `{${Object.entries(value)
    .map(([key, member]) => `${JSON.stringify(key)}: ${pythonLiteral(member)}`)
    .join(', ')}}`;
}

/** Whole numbers beyond 2^53 have lost digits already; they stay floats. */
const numberLiteral = (value: number): string =>
  Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : floatLiteral(value);

const floatLiteral = (value: number): string => {
  const text = Object.is(value, -0) ? '-0' : String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
};

/** `name(a=1, b="x")` */
export const keywordCall = (name: string, values: Record<string, Json>): string =>
  `${name}(${Object.entries(values)
    .map(([parameter, value]) => `${parameter}=${pythonLiteral(value)}`)
    .join(', ')})`;
