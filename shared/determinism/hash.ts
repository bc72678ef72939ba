import { hash } from 'node:crypto';
import { canonicalize } from './canonical-json.ts';

/** Lower-case hex SHA-256 (64 digits) of UTF-8 text or bytes. */
export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex');
}

/**
 * RFC 8785 canonical JSON: sorted keys, shortest numbers, no spaces. Members whose value is undefined are left out.
 * @throws TypeError when the value has no JSON form (a function, a bigint, a non-finite number).
 */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('The value has no canonical JSON form.');
  return text;
}

/** SHA-256 of the canonical JSON of a value: equal for equal content, whatever the property order. */
export function hashOf(value: unknown): string {
  return sha256Hex(canonicalJson(value));
}
