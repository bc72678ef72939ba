import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { defect } from '#shared/task/errors.ts';
import type { Json } from '../ports.ts';

/**
 * JSON values as DynamoDB attribute values and back. Not the SDK's marshaller: that refuses integers above 2^53 and
 * loses members named `__proto__`, which hostile documents can hold.
 */

/** Of a checked value (`storableValue`): every number is finite and within DynamoDB's range. */
export function toAttributeValue(value: Json): AttributeValue {
  if (value === null) return { NULL: true };
  if (typeof value === 'boolean') return { BOOL: value };
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  if (Array.isArray(value)) return { L: value.map(toAttributeValue) };
  return { M: toAttributeMap(value) };
}

export function toAttributeMap(value: Record<string, Json>): Record<string, AttributeValue> {
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toAttributeValue(member)]));
}

/** @throws Defect for the types JSON lacks (sets, binary), which this platform never writes. */
export function fromAttributeValue(value: AttributeValue): Json {
  if (value.S !== undefined) return value.S;
  if (value.N !== undefined) return Number(value.N);
  if (value.BOOL !== undefined) return value.BOOL;
  if (value.NULL !== undefined) return null;
  if (value.L !== undefined) return value.L.map(fromAttributeValue);
  if (value.M !== undefined) {
    return Object.fromEntries(
      Object.entries(value.M).map(([name, member]) => [name, fromAttributeValue(member)]),
    );
  }
  throw defect(`The table holds an attribute of type ${Object.keys(value).join()}, which is no JSON.`);
}
