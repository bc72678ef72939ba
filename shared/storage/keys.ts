import { invalidInput } from '#shared/task/errors.ts';

/** Rules for bucket names and object keys, the same for every adapter (embedded-platform section 8). */

export const MAX_KEY_BYTES = 1024;
export const MAX_SEGMENT_BYTES = 255;
/** Names of files that are being written; never a key's. */
export const TEMP_PREFIX = '.agentmill-tmp';

const utf8Bytes = (text: string): number => Buffer.byteLength(text, 'utf8');
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/**
 * Returns a well-formed bucket name (S3's general rules: 3 to 63 of `a-z 0-9 . -`, no two dots in a row).
 * @throws InvalidInput otherwise.
 */
export function checkBucket(bucket: string): string {
  if (!BUCKET.test(bucket) || bucket.includes('..')) {
    throw invalidInput(
      `"${printable(bucket)}" is no bucket name: use 3 to 63 lower-case letters, digits, dots or hyphens.`,
    );
  }
  return bucket;
}

/** Why a text is no object key, or undefined when it is one. */
export function keyProblem(key: string): string | undefined {
  if (key.length === 0) return 'it is empty';
  if (!key.isWellFormed()) return 'it is not well-formed Unicode';
  const bytes = utf8Bytes(key);
  if (bytes > MAX_KEY_BYTES) return `it has ${bytes} bytes, the limit is ${MAX_KEY_BYTES}`;
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return 'it contains a control character';
    if (code === 0x5c) return 'it contains a backslash';
  }
  for (const segment of key.split('/')) {
    if (segment === '') return 'it has an empty segment (a leading, trailing or double "/")';
    if (segment === '.' || segment === '..') return `it has the segment "${segment}"`;
    if (segment.startsWith(TEMP_PREFIX))
      return `a segment starts with "${TEMP_PREFIX}", the name of temporary files`;
    if (segment.length > MAX_SEGMENT_BYTES / 4 && utf8Bytes(segment) > MAX_SEGMENT_BYTES) {
      return `a segment has more than ${MAX_SEGMENT_BYTES} bytes`;
    }
  }
  return undefined;
}

/**
 * Returns the key when it is safe to use.
 * @throws InvalidInput naming what is wrong with it.
 */
export function checkKey(key: string): string {
  const problem = keyProblem(key);
  if (problem !== undefined) throw invalidInput(`"${printable(key)}" is no object key: ${problem}.`);
  return key;
}

/** A hostile text made fit for a message: short, without control characters. */
export function printable(text: string): string {
  const shown = text.slice(0, 80).toWellFormed();
  return JSON.stringify(shown).slice(1, -1) + (text.length > 80 ? '…' : '');
}

/** Compares two texts by their UTF-8 bytes, as S3 and DynamoDB order keys: negative, zero or positive. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // UTF-16 puts surrogate pairs (U+10000 and above) before U+E000 to U+FFFF; UTF-8 after them.
    const xHigh = x >= 0xd800 && x <= 0xdfff;
    const yHigh = y >= 0xd800 && y <= 0xdfff;
    return xHigh === yHigh ? x - y : xHigh ? 1 : -1;
  }
  return a.length - b.length;
}
