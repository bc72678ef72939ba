import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Artifacts } from '#shared/storage/ports.ts';
import { scanLines } from '#shared/text/lines.ts';
import { parseLine, type SourceItem } from './readers.ts';

/** Inflated bytes over compressed ones beyond which a stream is a bomb, once past the allowance. */
const MAX_RATIO = 100;
const ALLOWANCE = 16 * 1024 * 1024;

/**
 * The records of a gzip-compressed JSONL object, streamed. A broken or bomb-like stream ends in one
 * `UNREADABLE_SOURCE` item; the lines before it were read. Offsets are those of the inflated text.
 */
export async function* readGzip(
  artifacts: Artifacts,
  key: string,
  file: string,
  maxBytes: number,
): AsyncGenerator<SourceItem> {
  const { body } = await artifacts.get(key);
  let compressed = 0;
  let at = { line: 0, byteEnd: 0 };
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      compressed += chunk.length;
      yield chunk;
    }
  };
  const inflate = async function* (): AsyncGenerator<Uint8Array> {
    let inflated = 0;
    const input = Readable.from(counted());
    const gunzip = createGunzip();
    input.on('error', (error) => gunzip.destroy(error));
    try {
      for await (const chunk of input.pipe(gunzip) as AsyncIterable<Buffer>) {
        inflated += chunk.length;
        if (inflated > ALLOWANCE && inflated > compressed * MAX_RATIO) {
          throw new GzipFault(`inflates to more than ${MAX_RATIO} times its size`);
        }
        yield chunk;
      }
    } finally {
      input.destroy();
      gunzip.destroy();
    }
  };
  try {
    for await (const line of scanLines(inflate(), { maxBytes })) {
      at = line;
      yield parseLine(line, file, maxBytes);
    }
  } catch (error) {
    if (!isGzipFault(error)) throw error;
    const place = { file, line: at.line + 1, byteStart: at.byteEnd, byteEnd: at.byteEnd };
    yield {
      place,
      fault: 'UNREADABLE_SOURCE',
      evidence: { error: `gzip: ${error.message}`, linesRead: at.line },
    };
  }
}

class GzipFault extends Error {}

const isGzipFault = (error: unknown): error is Error =>
  error instanceof GzipFault ||
  (error instanceof Error &&
    /^(Z_|ERR_)/.test(String((error as NodeJS.ErrnoException).code ?? '')) &&
    'errno' in error);
