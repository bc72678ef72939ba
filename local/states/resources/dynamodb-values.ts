import type { Json } from '#shared/storage/ports.ts';
import { invalidInput } from '#shared/task/errors.ts';

/** DynamoDB's attribute-value JSON (`{"S": "x"}`, `{"N": "1"}`, …) to plain JSON and back. */

type AttributeValues = { [name: string]: Json };

const isMap = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws InvalidInput for a type the embedded table does not have (sets and binary) */
export function fromAttributeValue(value: Json | undefined, name: string): Json {
  const [type, ...more] = isMap(value) ? Object.keys(value) : [];
  if (!isMap(value) || type === undefined || more.length > 0) {
    throw invalidInput(`The value of '${name}' must be one attribute value, such as {"S": "text"}.`);
  }
  const inner = value[type]!;
  if (type === 'S' && typeof inner === 'string') return inner;
  if (type === 'N' && (typeof inner === 'string' || typeof inner === 'number')) {
    const number = Number(inner);
    if (Number.isFinite(number) && String(inner).trim() !== '') return number;
  }
  if (type === 'BOOL' && typeof inner === 'boolean') return inner;
  if (type === 'NULL') return null;
  if (type === 'M' && isMap(inner)) return fromAttributes(inner);
  if (type === 'L' && Array.isArray(inner)) return inner.map((item) => fromAttributeValue(item, name));
  throw invalidInput(
    `The value of '${name}' has the type ${type}: use S, N, BOOL, NULL, M or L with a value of that type.`,
  );
}

export function fromAttributes(values: AttributeValues): { [name: string]: Json } {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, fromAttributeValue(value, name)]),
  );
}

export function toAttributeValue(value: Json): Json {
  if (value === null) return { NULL: true };
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  if (typeof value === 'boolean') return { BOOL: value };
  if (Array.isArray(value)) return { L: value.map(toAttributeValue) };
  return { M: toAttributes(value) };
}

export function toAttributes(values: { [name: string]: Json }): AttributeValues {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toAttributeValue(value)]));
}
