import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Artifacts, ObjectCreated } from '#shared/storage/ports.ts';
import { bytesOf, failure, textOf } from './support.ts';

export interface ArtifactsUnderTest {
  artifacts: Artifacts;
  /** Object-created events, where the adapter itself delivers them. */
  created?: ObjectCreated[];
  close(): Promise<void>;
}

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

export const HOSTILE_KEYS = [
  '',
  '.',
  '..',
  '../x',
  '/x',
  'x/',
  'a//b',
  'a/../b',
  'a/./b',
  'a\\b',
  'a\0b',
  'a\nb',
  'a\u007fb',
  'a\u0085b',
  'a\ud800b',
  'x'.repeat(1025),
  `a/${'é'.repeat(128)}/b`,
  '.agentmill-tmp',
  'a/.agentmill-tmp-1/b',
];

async function* chunksOf(total: number, seed: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < total; at += seed.length) yield seed.subarray(0, Math.min(seed.length, total - at));
}

/** What every adapter of the artifacts port does (embedded-platform section 9). Uses keys below a prefix of its own. */
export function artifactsContract(adapter: string, make: () => Promise<ArtifactsUnderTest>): void {
  describe(`artifacts: ${adapter}`, () => {
    const root = `contract-${randomBytes(6).toString('hex')}`;
    let under: ArtifactsUnderTest;
    let artifacts: Artifacts;

    beforeAll(async () => {
      under = await make();
      artifacts = under.artifacts;
    });
    afterAll(async () => {
      for (let after: string | undefined, first = true; first || after !== undefined; first = false) {
        const page = await artifacts.list({ prefix: root, ...(after === undefined ? {} : { after }) });
        await Promise.all(page.objects.map(({ key }) => artifacts.delete(key)));
        after = page.next;
      }
      await under.close();
    });

    const keysBelow = async (prefix: string): Promise<string[]> =>
      (await artifacts.list({ prefix })).objects.map(({ key }) => key.slice(prefix.length));

    it('round-trips text, bytes and nothing', async () => {
      for (const [name, body] of [
        ['text', 'grüße 🪲'],
        ['bytes', randomBytes(1000)],
        ['empty', ''],
      ] as const) {
        const key = `${root}/round/${name}`;
        const stored = await artifacts.put(key, body);
        expect(stored).toMatchObject({ sha256: sha256(body), bytes: Buffer.byteLength(body) });
        const { body: read, ...head } = await artifacts.get(key);
        expect(await bytesOf(read)).toEqual(Buffer.from(body as string));
        expect(head).toMatchObject({ key, bytes: stored.bytes, etag: stored.etag, sha256: stored.sha256 });
        expect(Math.abs(head.modified - Date.now())).toBeLessThan(3_600_000);
      }
    });

    it('streams 64 MB in and out', async () => {
      const key = `${root}/large`;
      const seed = randomBytes(1_000_000);
      const hash = createHash('sha256');
      for await (const chunk of chunksOf(64_000_000, seed)) hash.update(chunk);
      const expected = hash.digest('hex');
      const stored = await artifacts.put(key, chunksOf(64_000_000, seed));
      expect(stored).toMatchObject({ sha256: expected, bytes: 64_000_000 });
      const read = createHash('sha256');
      for await (const chunk of (await artifacts.get(key)).body) read.update(chunk);
      expect(read.digest('hex')).toBe(expected);
    });

    it('leaves nothing of a body that fails', async () => {
      const key = `${root}/broken`;
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('some');
        throw new Error('the source broke');
      }
      await expect(artifacts.put(key, broken())).rejects.toThrow('the source broke');
      await failure(artifacts.head(key), 'NotFound');
    });

    it('reads ranges', async () => {
      const key = `${root}/range`;
      await artifacts.put(key, '0123456789');
      const range = async (start: number, end?: number): Promise<string> => {
        const found = await artifacts.get(key, { range: { start, ...(end === undefined ? {} : { end }) } });
        expect(found.bytes).toBe(10);
        return textOf(found.body);
      };
      expect(await range(2, 5)).toBe('234');
      expect(await range(7)).toBe('789');
      expect(await range(8, 100)).toBe('89');
      await failure(range(10), 'InvalidInput');
      await failure(range(5, 5), 'InvalidInput');
      await failure(range(-1), 'InvalidInput');
    });

    it('answers NotFound for what is missing', async () => {
      await failure(artifacts.get(`${root}/none`), 'NotFound');
      await failure(artifacts.head(`${root}/none`), 'NotFound');
      await failure(artifacts.copy(`${root}/none`, `${root}/to`), 'NotFound');
    });

    it('if-absent: one winner of twenty', async () => {
      const key = `${root}/race`;
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) => artifacts.put(key, `body ${n}`, { ifAbsent: true })),
      );
      const winners = outcomes.flatMap((outcome, n) => (outcome.status === 'fulfilled' ? [n] : []));
      expect(winners).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ name: 'Conflict' });
      }
      expect(await textOf((await artifacts.get(key)).body)).toBe(`body ${winners[0]}`);
    });

    it('if-match: fresh, stale and absent', async () => {
      const key = `${root}/match`;
      const first = await artifacts.put(key, 'one');
      const second = await artifacts.put(key, 'two', { ifMatch: first.etag });
      expect(second.etag).not.toBe(first.etag);
      await failure(artifacts.put(key, 'three', { ifMatch: first.etag }), 'Conflict');
      await failure(artifacts.put(`${root}/match-none`, 'x', { ifMatch: first.etag }), 'NotFound');
      await failure(artifacts.put(key, 'x', { ifMatch: first.etag, ifAbsent: true }), 'InvalidInput');
      expect(await textOf((await artifacts.get(key)).body)).toBe('two');
    });

    it('if-match: one winner of ten', async () => {
      const key = `${root}/match-race`;
      const { etag } = await artifacts.put(key, 'start');
      const outcomes = await Promise.allSettled(
        Array.from({ length: 10 }, (_, n) => artifacts.put(key, `next ${n}`, { ifMatch: etag })),
      );
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });

    it('keeps content type, metadata and tags', async () => {
      const key = `${root}/meta`;
      const options = {
        contentType: 'application/jsonl',
        metadata: { origin: 'a test', n: '1' },
        tags: { keep: 'work' },
      };
      await artifacts.put(key, 'x', options);
      expect(await artifacts.head(key)).toMatchObject({
        contentType: options.contentType,
        metadata: options.metadata,
      });
      await artifacts.put(key, 'y');
      expect((await artifacts.head(key)).metadata).toEqual({});
      await failure(artifacts.put(key, 'x', { metadata: { Upper: 'x' } }), 'InvalidInput');
      await failure(artifacts.put(key, 'x', { metadata: { a: 'line\nfeed' } }), 'InvalidInput');
    });

    it('lists in byte order of whole keys', async () => {
      const prefix = `${root}/order/`;
      const keys = ['a-b', 'a.txt', 'a/b', 'a/b-', 'a/b0', 'a0', 'b', 'é/x', '\uffee', '🪲'];
      for (const key of keys.toReversed()) await artifacts.put(prefix + key, key);
      expect(await keysBelow(prefix)).toEqual(keys);
      const [first] = (await artifacts.list({ prefix })).objects;
      expect(first).toMatchObject({ bytes: 3, etag: (await artifacts.head(`${prefix}a-b`)).etag });
      expect(await keysBelow(`${prefix}a/b`)).toEqual(['', '-', '0']);
      const after = await artifacts.list({ prefix, after: `${prefix}a/b` });
      expect(after.objects.map(({ key }) => key.slice(prefix.length))).toEqual(keys.slice(3));
      expect(await artifacts.list({ prefix: `${root}/nothing/here` })).toEqual({ objects: [], prefixes: [] });
    });

    it('groups by a delimiter', async () => {
      const prefix = `${root}/group/`;
      for (const key of ['a', 'b/1', 'b/2', 'b/c/3', 'd', 'e/4', 'f--g'])
        await artifacts.put(prefix + key, '');
      const strip = (texts: string[]): string[] => texts.map((text) => text.slice(prefix.length));
      const page = await artifacts.list({ prefix, delimiter: '/' });
      expect(strip(page.objects.map(({ key }) => key))).toEqual(['a', 'd', 'f--g']);
      expect(strip(page.prefixes)).toEqual(['b/', 'e/']);
      expect(strip((await artifacts.list({ prefix, delimiter: '--' })).prefixes)).toEqual(['f--']);
      expect(strip((await artifacts.list({ prefix: `${prefix}b`, delimiter: '/' })).prefixes)).toEqual([
        'b/',
      ]);

      const walked: string[] = [];
      for (let after: string | undefined, first = true; first || after !== undefined; first = false) {
        const part = await artifacts.list({
          prefix,
          delimiter: '/',
          limit: 1,
          ...(after === undefined ? {} : { after }),
        });
        walked.push(...strip([...part.objects.map(({ key }) => key), ...part.prefixes]));
        after = part.next;
      }
      expect(walked).toEqual(['a', 'b/', 'd', 'e/', 'f--g']);
    });

    it('pages over 1,100 keys', async () => {
      const prefix = `${root}/pages/`;
      const names = Array.from({ length: 1100 }, (_, n) => `${n % 7}/${String(n).padStart(4, '0')}`);
      for (let at = 0; at < names.length; at += 50) {
        await Promise.all(names.slice(at, at + 50).map((name) => artifacts.put(prefix + name, '')));
      }
      const sizes: number[] = [];
      const seen: string[] = [];
      for (let after: string | undefined, first = true; first || after !== undefined; first = false) {
        const page = await artifacts.list({ prefix, ...(after === undefined ? {} : { after }) });
        sizes.push(page.objects.length);
        seen.push(...page.objects.map(({ key }) => key.slice(prefix.length)));
        after = page.next;
      }
      expect(sizes).toEqual([1000, 100]);
      expect(seen).toEqual(names.toSorted());
      await failure(artifacts.list({ limit: 0 }), 'InvalidInput');
      await failure(artifacts.list({ limit: 1001 }), 'InvalidInput');
    });

    it('takes unicode and odd but harmless keys', async () => {
      for (const name of [
        'ünïcödé',
        'a b+c%20&=?#',
        '日本/語',
        'quote\'"`$(x)',
        '...',
        'x'.repeat(255),
        '__proto__',
      ]) {
        const key = `${root}/odd/${name}`;
        await artifacts.put(key, name);
        expect(await textOf((await artifacts.get(key)).body)).toBe(name);
        expect((await artifacts.list({ prefix: key })).objects.map((object) => object.key)).toEqual([key]);
      }
    });

    it('copies', async () => {
      const [from, to] = [`${root}/copy/from ü`, `${root}/copy/to`];
      const stored = await artifacts.put(from, 'content', {
        contentType: 'text/plain',
        metadata: { a: 'b' },
      });
      expect(await artifacts.copy(from, to)).toMatchObject({ sha256: stored.sha256, bytes: 7 });
      const { body, ...head } = await artifacts.get(to);
      expect(await textOf(body)).toBe('content');
      expect(head).toMatchObject({ contentType: 'text/plain', metadata: { a: 'b' } });
    });

    it('deletes, also what is not there', async () => {
      const key = `${root}/delete/deep/er`;
      await artifacts.put(key, 'x');
      await artifacts.delete(key);
      await artifacts.delete(key);
      await failure(artifacts.head(key), 'NotFound');
      expect(await keysBelow(`${root}/delete/`)).toEqual([]);
    });

    it('[embedded-platform 39] refuses hostile keys, and lists a-b, a/b, a0 in that order', async () => {
      for (const key of HOSTILE_KEYS) {
        await failure(artifacts.put(key, 'x'), 'InvalidInput');
        await failure(artifacts.get(key), 'InvalidInput');
        await failure(artifacts.head(key), 'InvalidInput');
        await failure(artifacts.delete(key), 'InvalidInput');
        await failure(artifacts.presign(key, { method: 'GET', expiresSeconds: 60 }), 'InvalidInput');
      }
      const prefix = `${root}/39/`;
      for (const key of ['a0', 'a/b', 'a-b']) await artifacts.put(prefix + key, '');
      expect(await keysBelow(prefix)).toEqual(['a-b', 'a/b', 'a0']);
    });

    it('tells of every object created', async ({ skip }) => {
      if (!under.created) return skip('This adapter leaves events to the service.');
      const created = under.created;
      const key = `${root}/event`;
      const { etag } = await artifacts.put(key, 'hello');
      await artifacts.copy(key, `${key}-copy`);
      await expect.poll(() => created.filter((event) => event.key.startsWith(key)).length).toBe(2);
      expect(created.find((event) => event.key === key)).toMatchObject({
        bucket: artifacts.bucket,
        key,
        bytes: 5,
        etag,
      });
    });
  });
}
