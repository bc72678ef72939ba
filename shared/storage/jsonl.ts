import { createHash } from 'node:crypto';
import { z } from 'zod';
import { conflict, invalidInput, isError } from '#shared/task/errors.ts';
import { printable } from './keys.ts';
import type { ArtifactBody, ArtifactRef, Artifacts, PutOptions } from './ports.ts';

/** JSON and JSON Lines in artifacts: how bulk data moves between tasks (DESIGN section 4). */

export const ArtifactRefSchema = z.strictObject({
  bucket: z.string().min(3).max(63).optional(),
  key: z.string().min(1).max(1024),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'),
  bytes: z.int().nonnegative(),
  count: z.int().nonnegative().optional(),
});

export interface ReadOptions {
  /** Bytes of one line (JSONL) or of the whole object (JSON, text). Default 16 MiB and 64 MiB. */
  maxBytes?: number;
}

const MAX_LINE_BYTES = 16 * 1024 * 1024;
const MAX_WHOLE_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

type KeyOrRef = string | ArtifactRef;

async function open(artifacts: Artifacts, keyOrRef: KeyOrRef): Promise<ArtifactBody> {
  if (typeof keyOrRef === 'string') return artifacts.get(keyOrRef);
  if (keyOrRef.bucket !== undefined && keyOrRef.bucket !== artifacts.bucket) {
    throw invalidInput(
      `The reference is to bucket "${printable(keyOrRef.bucket)}", not "${artifacts.bucket}": read it with runtime.bucket().`,
    );
  }
  return artifacts.get(keyOrRef.key);
}

/** Compares what was read with the reference it was read by. */
function checkContent(keyOrRef: KeyOrRef, hash: ReturnType<typeof createHash>, bytes: number): void {
  if (typeof keyOrRef === 'string') return;
  if (bytes !== keyOrRef.bytes || hash.digest('hex') !== keyOrRef.sha256) {
    throw conflict(`The object "${printable(keyOrRef.key)}" is not the content the reference was made for.`);
  }
}

function decode(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalidInput(`${where} is not UTF-8.`);
  }
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidInput(`${where} is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
}

/**
 * The values of a JSONL object, one at a time, with their line numbers (from 1). Blank lines are passed over; a byte
 * order mark at the start is dropped. A reference's hash is checked when the end is reached.
 * @throws NotFound; InvalidInput naming the line that is not UTF-8, not JSON or too long; Conflict at the end when the
 *   object is not the content the reference names.
 */
export async function* readJsonl(
  artifacts: Artifacts,
  keyOrRef: KeyOrRef,
  { maxBytes = MAX_LINE_BYTES }: ReadOptions = {},
): AsyncGenerator<{ line: number; value: unknown }> {
  const { body, key } = await open(artifacts, keyOrRef);
  const hash = createHash('sha256');
  let bytes = 0;
  let line = 0;
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;

  const where = (): string => `Line ${line} of "${printable(key)}"`;
  const take = (part: Uint8Array): void => {
    pendingBytes += part.byteLength;
    if (pendingBytes > maxBytes) {
      line++;
      throw invalidInput(`${where()} has more than ${maxBytes} bytes.`);
    }
    if (part.byteLength > 0) pending.push(part);
  };
  const finish = (): { line: number; value: unknown } | undefined => {
    line++;
    const whole = pending.length === 1 ? pending[0]! : Buffer.concat(pending);
    pending = [];
    pendingBytes = 0;
    const text = decode(whole, where());
    return text.trim() === '' ? undefined : { line, value: parse(text, where()) };
  };

  for await (const chunk of body) {
    if (typeof keyOrRef !== 'string') hash.update(chunk);
    bytes += chunk.byteLength;
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      take(chunk.subarray(start, end));
      start = end + 1;
      const row = finish();
      if (row) yield row;
    }
    take(chunk.subarray(start));
  }
  if (pendingBytes > 0) {
    const row = finish();
    if (row) yield row;
  }
  checkContent(keyOrRef, hash, bytes);
}

async function readWhole(
  artifacts: Artifacts,
  keyOrRef: KeyOrRef,
  maxBytes: number,
): Promise<{ key: string; text: string }> {
  const { body, key, bytes } = await open(artifacts, keyOrRef);
  if (bytes > maxBytes)
    throw invalidInput(`"${printable(key)}" has ${bytes} bytes, the limit is ${maxBytes}.`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const whole = Buffer.concat(chunks);
  checkContent(keyOrRef, createHash('sha256').update(whole), whole.byteLength);
  return { key, text: decode(whole, `"${printable(key)}"`) };
}

/** The text of an object. @throws NotFound; InvalidInput when it is not UTF-8 or too large; Conflict as readJsonl. */
export async function readText(
  artifacts: Artifacts,
  keyOrRef: KeyOrRef,
  options: ReadOptions = {},
): Promise<string> {
  return (await readWhole(artifacts, keyOrRef, options.maxBytes ?? MAX_WHOLE_BYTES)).text;
}

/** The value of a JSON object file. @throws as readText, and InvalidInput when it is not JSON. */
export async function readJson(
  artifacts: Artifacts,
  keyOrRef: KeyOrRef,
  options: ReadOptions = {},
): Promise<unknown> {
  const { key, text } = await readWhole(artifacts, keyOrRef, options.maxBytes ?? MAX_WHOLE_BYTES);
  return parse(text, `"${printable(key)}"`);
}

/** A JSON object of ours, undefined where there is none: what the platform wrote is trusted to have its type. */
export async function jsonIfAny<T>(artifacts: Artifacts, key: string): Promise<T | undefined> {
  try {
    return (await readJson(artifacts, key)) as T;
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  }
}

function lineOf(value: unknown, row: number): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw invalidInput(`Row ${row} has no JSON form.`);
  return `${text}\n`;
}

/** Counts and hashes what passes, so that a refused write can be compared with what is there. */
class Encoder {
  count = 0;
  bytes = 0;
  readonly #hash = createHash('sha256');

  async *encode(rows: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
    let text = '';
    for await (const row of rows) {
      this.count++;
      text += lineOf(row, this.count);
      if (text.length >= CHUNK_BYTES) {
        yield this.#pass(text);
        text = '';
      }
    }
    if (text !== '') yield this.#pass(text);
  }

  #pass(text: string): Uint8Array {
    const chunk = Buffer.from(text);
    this.bytes += chunk.byteLength;
    this.#hash.update(chunk);
    return chunk;
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}

/** Hex SHA-256 of an object: as recorded, else by reading it. */
async function contentHash(artifacts: Artifacts, key: string): Promise<string> {
  const head = await artifacts.head(key);
  if (head.sha256 !== undefined) return head.sha256;
  const hash = createHash('sha256');
  for await (const chunk of (await artifacts.get(key)).body) hash.update(chunk);
  return hash.digest('hex');
}

/** The write was refused because the key is taken: fine where it holds the same content. */
async function existing(artifacts: Artifacts, ref: ArtifactRef, error: unknown): Promise<ArtifactRef> {
  const sha256 = await contentHash(artifacts, ref.key).catch((failure: unknown) => {
    // The conflict was not about this key but about one above or below it.
    if (isError(failure, 'NotFound')) return undefined;
    throw failure;
  });
  if (sha256 === ref.sha256) return ref;
  throw error;
}

/**
 * Writes rows as JSON Lines, streaming, and returns the reference with `count` set. With `ifAbsent`, a key that holds
 * the same content already gives its reference, so repeated work succeeds.
 * @throws InvalidInput for a row without JSON form; Conflict where a precondition fails.
 */
export async function writeJsonl(
  artifacts: Artifacts,
  key: string,
  rows: Iterable<unknown> | AsyncIterable<unknown>,
  options: PutOptions = {},
): Promise<ArtifactRef> {
  const encoder = new Encoder();
  const body = encoder.encode(rows);
  try {
    const { sha256, bytes } = await artifacts.put(key, body, {
      contentType: 'application/jsonl',
      ...options,
    });
    return { key, sha256, bytes, count: encoder.count };
  } catch (error) {
    if (!options.ifAbsent || !isError(error, 'Conflict')) throw error;
    return existing(
      artifacts,
      { key, sha256: encoder.digest(), bytes: encoder.bytes, count: encoder.count },
      error,
    );
  }
}

/**
 * Writes one value as JSON text and returns its reference; `ifAbsent` as in writeJsonl.
 * @throws InvalidInput for a value without JSON form; Conflict where a precondition fails.
 */
export async function writeJson(
  artifacts: Artifacts,
  key: string,
  value: unknown,
  options: PutOptions = {},
): Promise<ArtifactRef> {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw invalidInput(`The value for "${printable(key)}" has no JSON form.`);
  const body = Buffer.from(text);
  const sha256 = createHash('sha256').update(body).digest('hex');
  try {
    await artifacts.put(key, body, { contentType: 'application/json', ...options });
    return { key, sha256, bytes: body.byteLength };
  } catch (error) {
    if (!options.ifAbsent || !isError(error, 'Conflict')) throw error;
    return existing(artifacts, { key, sha256, bytes: body.byteLength }, error);
  }
}
