import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storageUnavailable } from '#shared/task/errors.ts';
import type { Body } from '../ports.ts';

/** A body whose size and hash are known, ready to be sent (again). */
export interface Spooled {
  bytes: number;
  sha256: string;
  /** Whether the content is a stream from a temporary file. */
  inFile: boolean;
  /** The body from its start; each call gives a fresh one. */
  content(): Uint8Array | ReturnType<typeof createReadStream>;
  discard(): Promise<void>;
}

/** Streams up to this size stay in memory; larger ones go through a temporary file. */
const MEMORY_BYTES = 8 * 1024 * 1024;

/**
 * Takes a body in whole, hashing it: S3 wants its length and checksum ahead of it, and a refused or retried upload
 * sends it again.
 */
export async function spool(body: Body): Promise<Spooled> {
  if (typeof body === 'string' || body instanceof Uint8Array) {
    return inMemory(typeof body === 'string' ? Buffer.from(body) : body);
  }
  const chunks: Uint8Array[] = [];
  const hash = createHash('sha256');
  let bytes = 0;
  let directory: string | undefined;
  let file: FileHandle | undefined;
  const discard = async (): Promise<void> => {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  };
  try {
    for await (const chunk of body) {
      hash.update(chunk);
      bytes += chunk.byteLength;
      chunks.push(chunk);
      if (bytes <= MEMORY_BYTES) continue;
      if (file === undefined) {
        directory = await mkdtemp(join(tmpdir(), 'agentmill-spool-'));
        file = await open(join(directory, 'body'), 'wx');
      }
      for (const part of chunks.splice(0)) await file.appendFile(part);
    }
  } catch (error) {
    await file?.close();
    await discard();
    if ((error as { code?: unknown }).code === 'ENOSPC') {
      throw storageUnavailable(
        `The temporary directory is full after ${bytes} bytes: raise the task's ephemeralMb.`,
        { cause: error },
      );
    }
    throw error;
  }
  await file?.close();
  if (directory === undefined) return inMemory(Buffer.concat(chunks));
  const path = join(directory, 'body');
  return { bytes, sha256: hash.digest('hex'), inFile: true, content: () => createReadStream(path), discard };
}

function inMemory(content: Uint8Array): Spooled {
  return {
    bytes: content.byteLength,
    sha256: createHash('sha256').update(content).digest('hex'),
    inFile: false,
    content: () => content,
    discard: async () => {},
  };
}
