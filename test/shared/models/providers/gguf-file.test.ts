import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { assertGguf } from '#shared/models/providers/gguf-file.ts';
import { errorOf } from './support.ts';
import { tinyGguf } from './tiny-gguf.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gguf-file-'));
});
afterAll(() => rm(dir, { recursive: true }));

const bytes = tinyGguf();

async function written(name: string, content: Uint8Array): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, content);
  return path;
}

describe('a model file', () => {
  it('is the one whose hash the registry gives', async () => {
    const path = await written('good.gguf', bytes);
    await assertGguf(path, undefined);
    await assertGguf(path, sha256Hex(bytes));
    const error = await errorOf(assertGguf(path, '0'.repeat(64)));
    expect(error).toMatchObject({ code: 'FILE_MISSING', billed: 'no', unsent: true });
    expect(error.message).toContain(sha256Hex(bytes));
  });

  it.each<[string, () => Promise<string>]>([
    ['nowhere', async () => join(dir, 'absent.gguf')],
    ['a directory', async () => dir],
    ['empty', () => written('empty.gguf', Buffer.alloc(0))],
    ['cut inside its header', () => written('cut.gguf', bytes.subarray(0, 23))],
    [
      'something else',
      () => written('page.gguf', Buffer.from('<html>not found, sign in to download</html>')),
    ],
  ])('is FILE_MISSING where it is %s', async (_name, path) => {
    const file = await path();
    const error = await errorOf(assertGguf(file, undefined));
    expect(error).toMatchObject({ code: 'FILE_MISSING', billed: 'no' });
    expect(error.message).toContain(file);
  });

  it('is never taken for a model with another magic, version or absurd counts', async () => {
    const word = fc.constantFrom(0n, 1n, 300n, 1_000_000n, 1_000_001n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n);
    const magic = fc.constantFrom('GGUF', 'GGUf', 'FUGG', 'ggml', '\0\0\0\0');
    let n = 0;
    await fc.assert(
      fc.asyncProperty(
        magic,
        fc.integer({ min: 0, max: 5 }),
        word,
        word,
        async (name, version, tensors, keys) => {
          const header = Buffer.alloc(24);
          header.write(name, 'latin1');
          header.writeUInt32LE(version, 4);
          header.writeBigUInt64LE(tensors, 8);
          header.writeBigUInt64LE(keys, 16);
          const file = await written(`fuzz-${n++}.gguf`, header);
          const good =
            name === 'GGUF' &&
            (version === 2 || version === 3) &&
            tensors <= 1_000_000n &&
            keys <= 1_000_000n;
          if (good) await assertGguf(file, undefined);
          else expect((await errorOf(assertGguf(file, undefined))).code).toBe('FILE_MISSING');
        },
      ),
      { numRuns: 150 },
    );
  });
});
