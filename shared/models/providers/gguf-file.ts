import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { unsent } from './errors.ts';

/** Files whose hash has been checked, by path, size and time of change. */
const checkedFiles = new Map<string, string>();

/** @throws ProviderError FILE_MISSING when the file is absent or is not the one whose hash the registry gives. */
export async function assertGguf(file: string, sha256: string | undefined): Promise<void> {
  let found: Awaited<ReturnType<typeof stat>>;
  try {
    found = await stat(file);
  } catch (error) {
    throw unsent('FILE_MISSING', `There is no model file ${file}.`, error);
  }
  if (!found.isFile() || !(await hasGgufHeader(file)))
    throw unsent('FILE_MISSING', `${file} is no GGUF file.`);
  if (!sha256) return;
  const identity = `${file} ${found.size} ${found.mtimeMs}`;
  let actual = checkedFiles.get(identity);
  if (!actual) {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
    checkedFiles.set(identity, (actual = hash.digest('hex')));
  }
  if (actual !== sha256)
    throw unsent('FILE_MISSING', `${file} is not the file the registry means: its SHA-256 is ${actual}.`);
}

/** More tensors or keys than any model has. */
const MAX_COUNT = 1_000_000n;

/** Whether a file begins as GGUF 2 or 3 does, with sane counts: the library reads on and on in one that does not. */
async function hasGgufHeader(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(24), 0, 24, 0);
    if (bytesRead < 24 || buffer.toString('latin1', 0, 4) !== 'GGUF') return false;
    const version = buffer.readUInt32LE(4);
    const sane = [8, 16].every((at) => buffer.readBigUInt64LE(at) <= MAX_COUNT);
    return (version === 2 || version === 3) && sane;
  } finally {
    await handle.close();
  }
}
