import { invalidInput } from '#shared/task/errors.ts';
import { printable } from './keys.ts';
import type { PresignOptions, PutOptions } from './ports.ts';

/** What every artifacts adapter accepts besides keys; S3's limits. */

const MAX_METADATA_BYTES = 2048;
const TOKEN = /^[a-z0-9][a-z0-9_.-]*$/;
/** Printable ASCII: what an HTTP header carries unchanged. */
const HEADER_VALUE = /^[\x20-\x7e]*$/;
const WEEK_SECONDS = 7 * 86_400;
const SHA256 = /^[0-9a-f]{64}$/;

/** @throws InvalidInput for contradictory preconditions, or metadata and tags that S3 could not keep unchanged. */
export function checkPutOptions(options: PutOptions): void {
  if (options.ifAbsent && options.ifMatch !== undefined) {
    throw invalidInput('A put has ifAbsent or ifMatch, not both.');
  }
  let bytes = 0;
  for (const [name, value] of Object.entries(options.metadata ?? {})) {
    bytes += name.length + value.length;
    if (!TOKEN.test(name) || !HEADER_VALUE.test(value) || value.trim() !== value) {
      throw invalidInput(
        `Metadata "${printable(name)}" must have a lower-case name and a printable ASCII value.`,
      );
    }
  }
  if (bytes > MAX_METADATA_BYTES)
    throw invalidInput(`Metadata has ${bytes} bytes, the limit is ${MAX_METADATA_BYTES}.`);
  if (options.contentType !== undefined && !HEADER_VALUE.test(options.contentType)) {
    throw invalidInput('A content type is printable ASCII.');
  }
  const tags = Object.entries(options.tags ?? {});
  if (
    tags.length > 10 ||
    tags.some(([name, value]) => name === '' || name.length > 128 || value.length > 256)
  ) {
    throw invalidInput(
      'An object has at most 10 tags, with names of 1 to 128 and values of up to 256 characters.',
    );
  }
}

/**
 * The bytes [start, end) to send for a range; the whole object without one. `end` is cut to the object.
 * @throws InvalidInput for a range that is malformed or starts beyond the object.
 */
export function resolveRange(
  range: { start: number; end?: number } | undefined,
  bytes: number,
  key: string,
): { start: number; end: number } {
  if (range === undefined) return { start: 0, end: bytes };
  checkRange(range);
  if (range.start >= bytes) {
    throw invalidInput(`The range starts at ${range.start}, but "${printable(key)}" has ${bytes} bytes.`);
  }
  return { start: range.start, end: Math.min(range.end ?? bytes, bytes) };
}

/** @throws InvalidInput for a range that is malformed or empty. */
export function checkRange({ start, end }: { start: number; end?: number }): void {
  const fine =
    Number.isSafeInteger(start) &&
    start >= 0 &&
    (end === undefined || (Number.isSafeInteger(end) && end > start));
  if (!fine)
    throw invalidInput(`The range ${start}..${String(end ?? '')} is empty or malformed: end is exclusive.`);
}

export function checkPresign(options: PresignOptions): void {
  const { expiresSeconds, bytes, sha256 } = options;
  if (!Number.isInteger(expiresSeconds) || expiresSeconds < 1 || expiresSeconds > WEEK_SECONDS) {
    throw invalidInput(`expiresSeconds is 1 to ${WEEK_SECONDS}, not ${expiresSeconds}.`);
  }
  if (bytes !== undefined && !(Number.isSafeInteger(bytes) && bytes >= 0)) {
    throw invalidInput(`bytes is ${bytes}: give the size of the upload.`);
  }
  if (sha256 !== undefined && !SHA256.test(sha256)) throw invalidInput('sha256 is 64 lower-case hex digits.');
}
