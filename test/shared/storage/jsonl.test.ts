import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '#shared/determinism/hash.ts';
import {
  ArtifactRefSchema,
  readJson,
  readJsonl,
  readText,
  writeJson,
  writeJsonl,
} from '#shared/storage/jsonl.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import { embeddedStore } from '#test/contract/embedded.ts';
import { failure } from '#test/contract/support.ts';

let store: Awaited<ReturnType<typeof embeddedStore>>;
let artifacts: Artifacts;
let serial = 0;
const fresh = (): string => `f/${++serial}.jsonl`;
beforeAll(async () => {
  store = await embeddedStore();
  artifacts = store.artifacts();
});
afterAll(() => store.remove());

async function rows(source: Parameters<typeof readJsonl>[1], maxBytes?: number) {
  const found: { line: number; value: unknown }[] = [];
  for await (const row of readJsonl(artifacts, source, maxBytes === undefined ? {} : { maxBytes }))
    found.push(row);
  return found;
}
const stored = async (body: string | Uint8Array): Promise<string> => {
  const key = fresh();
  await artifacts.put(key, body);
  return key;
};

describe('JSON Lines', () => {
  it('round-trips any JSON values, in any chunking, with a true reference', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 20 }), async (values) => {
        const ref = await writeJsonl(artifacts, fresh(), values);
        expect(ArtifactRefSchema.parse(ref)).toEqual(ref);
        expect(ref.count).toBe(values.length);
        const text = await readText(artifacts, ref);
        expect([sha256Hex(text), Buffer.byteLength(text)]).toEqual([ref.sha256, ref.bytes]);
        const normal = values.map((value) => JSON.parse(JSON.stringify(value)) as unknown);
        expect((await rows(ref)).map(({ value }) => value)).toEqual(normal);
      }),
      { numRuns: 100 },
    );
  });

  it('streams: large files, lines cut by chunks, asynchronous rows', async () => {
    async function* source() {
      for (let n = 0; n < 20_000; n++) yield { n, text: 'ü🪲'.repeat(n % 50) };
    }
    const ref = await writeJsonl(artifacts, fresh(), source());
    expect(ref.count).toBe(20_000);
    let n = 0;
    for await (const { line, value } of readJsonl(artifacts, ref)) {
      expect(value).toMatchObject({ n });
      expect(line).toBe(++n);
    }
    expect(n).toBe(20_000);
  });

  it('takes blank lines, CR LF, a byte order mark and a missing last newline', async () => {
    const key = await stored('\ufeff{"a":1}\r\n\n  \n[2]');
    expect(await rows(key)).toEqual([
      { line: 1, value: { a: 1 } },
      { line: 4, value: [2] },
    ]);
    expect(await rows(await stored(''))).toEqual([]);
  });

  it('names the line that is not JSON, not UTF-8 or too long', async () => {
    expect((await failure(rows(await stored('{}\n{"a":\n')), 'InvalidInput')).message).toContain(
      'Line 2 of "f/',
    );
    const bytes = Buffer.concat([Buffer.from('{}\n{}\n"'), Buffer.from([0xff]), Buffer.from('"\n')]);
    expect((await failure(rows(await stored(bytes)), 'InvalidInput')).message).toContain('Line 3');
    expect(
      (await failure(rows(await stored(`1\n"${'x'.repeat(100)}"`), 50), 'InvalidInput')).message,
    ).toContain('Line 2');
    await failure(rows('not-there'), 'NotFound');
  });

  it('notices that the object is not what the reference was made for', async () => {
    const ref = await writeJsonl(artifacts, fresh(), [1, 2]);
    await artifacts.put(ref.key, '3\n4\n');
    await failure(rows(ref), 'Conflict');
    await failure(readText(artifacts, ref), 'Conflict');
    await failure(rows({ ...ref, bucket: 'another-bucket' }), 'InvalidInput');
  });

  it('if-absent: equal content gives the existing reference, other content Conflict', async () => {
    const key = fresh();
    const ref = await writeJsonl(artifacts, key, [{ a: 1 }], { ifAbsent: true });
    expect(await writeJsonl(artifacts, key, [{ a: 1 }], { ifAbsent: true })).toEqual(ref);
    await failure(writeJsonl(artifacts, key, [{ a: 2 }], { ifAbsent: true }), 'Conflict');
    const value = await writeJson(artifacts, `${key}.json`, { b: 1 }, { ifAbsent: true });
    expect(await writeJson(artifacts, `${key}.json`, { b: 1 }, { ifAbsent: true })).toEqual(value);
    await failure(writeJson(artifacts, `${key}.json`, {}, { ifAbsent: true }), 'Conflict');
    await failure(writeJson(artifacts, `${key}/below`, {}, { ifAbsent: true }), 'Conflict');
    expect(await readJson(artifacts, value)).toEqual({ b: 1 });
  });

  it('refuses what has no JSON form, and stores nothing', async () => {
    const key = fresh();
    await failure(writeJsonl(artifacts, key, [1, undefined]), 'InvalidInput');
    await failure(
      writeJson(artifacts, key, () => {}),
      'InvalidInput',
    );
    await failure(artifacts.head(key), 'NotFound');
    await failure(readJson(artifacts, await stored('{')), 'InvalidInput');
    await failure(readText(artifacts, await stored('12345'), { maxBytes: 4 }), 'InvalidInput');
  });
});
