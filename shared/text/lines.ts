import { isUtf8 } from 'node:buffer';

/** One line of a byte stream, without its newline. Offsets are absolute, `byteEnd` exclusive of the newline. */
export interface ScannedLine {
  /** From 1, counted from the first line of the range. */
  line: number;
  byteStart: number;
  byteEnd: number;
  /** The line's bytes; undefined where it is longer than `maxBytes`. */
  bytes: Uint8Array | undefined;
}

const NEWLINE = 10;

/**
 * Cuts a byte stream into lines, holding at most `maxBytes` and one chunk. A line that has no newline at the stream's
 * end counts; an empty stream has none. A carriage return before the newline is left to the reader.
 * @param options.start absolute offset of the stream's first byte.
 * @param options.end stop before the first line that starts at or after this offset.
 * @param options.skipFirst the stream starts inside a line that belongs to another range: drop it.
 */
export async function* scanLines(
  stream: AsyncIterable<Uint8Array>,
  options: { maxBytes: number; start?: number; end?: number; skipFirst?: boolean },
): AsyncGenerator<ScannedLine> {
  const end = options.end ?? Infinity;
  let kept: Uint8Array[] = [];
  let keptBytes = 0;
  let tooLong = false;
  let skipping = options.skipFirst === true;
  let offset = options.start ?? 0;
  let lineStart = offset;
  let line = 0;

  const keep = (bytes: Uint8Array, copy: boolean): void => {
    if (skipping || tooLong || bytes.length === 0) return;
    if (keptBytes + bytes.length > options.maxBytes) {
      tooLong = true;
      kept = [];
      return;
    }
    kept.push(copy ? Uint8Array.from(bytes) : bytes);
    keptBytes += bytes.length;
  };
  const finish = (byteEnd: number): ScannedLine => {
    const bytes = tooLong ? undefined : kept.length === 1 ? kept[0] : Buffer.concat(kept);
    const scanned = { line: ++line, byteStart: lineStart, byteEnd, bytes };
    kept = [];
    keptBytes = 0;
    tooLong = false;
    return scanned;
  };

  for await (const chunk of stream) {
    let at = 0;
    for (;;) {
      if (!skipping && lineStart >= end) return;
      const newline = chunk.indexOf(NEWLINE, at);
      if (newline < 0) break;
      keep(chunk.subarray(at, newline), false);
      at = newline + 1;
      if (skipping) skipping = false;
      else yield finish(offset + newline);
      lineStart = offset + at;
    }
    // What stays waits for the next chunk: copied, so that a reader may reuse its buffer.
    keep(chunk.subarray(at), true);
    offset += chunk.length;
  }
  if (!skipping && offset > lineStart && lineStart < end) yield finish(offset);
}

/** The offset of the first byte that is no UTF-8 (RFC 3629), or -1 where all are. */
export function invalidUtf8At(bytes: Uint8Array): number {
  if (isUtf8(bytes)) return -1;
  for (let i = 0; i < bytes.length;) {
    const length = sequenceLength(bytes, i);
    if (length === 0) return i;
    i += length;
  }
  return bytes.length;
}

function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  const follows = (k: number, low = 0x80, high = 0xbf): boolean => {
    const byte = bytes[at + k];
    return byte !== undefined && byte >= low && byte <= high;
  };
  if (lead >= 0xc2 && lead <= 0xdf) return follows(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const low = lead === 0xe0 ? 0xa0 : 0x80;
    const high = lead === 0xed ? 0x9f : 0xbf;
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const low = lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xf4 ? 0x8f : 0xbf;
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}
