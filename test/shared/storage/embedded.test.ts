import { existsSync } from 'node:fs';
import { mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  acquireEngineLock,
  openEmbedded,
  presignSecret,
  verifyPresigned,
  type EmbeddedOptions,
} from '#shared/storage/embedded/index.ts';
import { compareUtf8, keyProblem } from '#shared/storage/keys.ts';
import type { RecordQuery } from '#shared/storage/ports.ts';
import { embeddedStore } from '#test/contract/embedded.ts';
import { failure, shiftableClock, temporaryDirectory, textOf } from '#test/contract/support.ts';

const removers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const remove of removers.splice(0)) await remove();
});
async function open(options: Omit<EmbeddedOptions, 'dataDir'> = {}) {
  const store = await embeddedStore(options);
  removers.push(store.remove);
  return { ...store, folder: join(store.dataDir, 'objects', store.bucket) };
}

describe('embedded artifacts: plain files', () => {
  it('reads, lists and hashes files put there by hand, and sees their edits', async () => {
    const { artifacts, folder } = await open();
    await mkdir(join(folder, 'by'), { recursive: true });
    await writeFile(join(folder, 'by/hand.txt'), 'one');
    const first = await artifacts().head('by/hand.txt');
    expect(first).toMatchObject({ bytes: 3, metadata: {} });
    await writeFile(join(folder, 'by/hand.txt'), 'two!');
    expect(await textOf((await artifacts().get('by/hand.txt')).body)).toBe('two!');
    const [listed] = (await artifacts().list()).objects;
    expect(listed!.etag).not.toBe(first.etag);
    await artifacts().put('by/hand.txt', 'three', { ifMatch: listed!.etag });
  });

  it('refuses symbolic links, and lists none', async () => {
    const { artifacts, folder, dataDir } = await open();
    await artifacts().put('real/file', 'x');
    await symlink(join(dataDir, 'store.sqlite'), join(folder, 'link'));
    await symlink(dataDir, join(folder, 'up'));
    for (const key of ['link', 'up/store.sqlite', 'up/new/file']) {
      await failure(artifacts().get(key), 'InvalidInput');
      if (key !== 'link') await failure(artifacts().put(key, 'x'), 'InvalidInput');
      if (key !== 'link') await failure(artifacts().delete(key), 'InvalidInput');
    }
    expect((await artifacts().list()).objects.map(({ key }) => key)).toEqual(['real/file']);
    expect(await artifacts().list({ prefix: 'up/' })).toEqual({ objects: [], prefixes: [] });
    expect(await artifacts().list({ prefix: '../' })).toEqual({ objects: [], prefixes: [] });
    expect(existsSync(join(dataDir, 'new'))).toBe(false);
    // A link in the way of a put is replaced, not followed.
    await artifacts().put('link', 'mine');
    expect(await textOf((await artifacts().get('link')).body)).toBe('mine');
  });

  it('a key below or above another is Conflict, until that is gone', async () => {
    const { artifacts, folder } = await open();
    await artifacts().put('a/b', 'x');
    await failure(artifacts().put('a', 'x'), 'Conflict');
    await failure(artifacts().put('a', 'x', { ifAbsent: true }), 'Conflict');
    await failure(artifacts().put('a/b/c', 'x'), 'Conflict');
    await failure(artifacts().get('a'), 'NotFound');
    await artifacts().delete('a/b');
    expect(existsSync(join(folder, 'a'))).toBe(false);
    await artifacts().put('a', 'x');
    await mkdir(join(folder, 'empty'));
    await artifacts().put('empty', 'x', { ifAbsent: true });
  });

  it('keeps reading the version that was opened', async () => {
    const { artifacts } = await open();
    await artifacts().put('k', Buffer.alloc(1_000_000, 'a'));
    const { body } = await artifacts().get('k');
    await artifacts().put('k', Buffer.alloc(1_000_000, 'b'));
    expect(await textOf(body)).toBe('a'.repeat(1_000_000));
  });

  it('works with fsync full', async () => {
    const { artifacts, records } = await open({ fsync: 'full' });
    await artifacts().put('x/y/z', 'body');
    await artifacts().put(
      'x/y/z2',
      (async function* () {
        yield Buffer.from('body');
      })(),
    );
    await records.put({ pk: 'p', sk: 's', attributes: {} });
    expect((await artifacts().list()).objects).toHaveLength(2);
  });

  it('sweeps temporary files of processes that are gone', async () => {
    const store = await open();
    const temp = join(store.dataDir, 'objects/.agentmill-tmp');
    await writeFile(join(temp, '999999999-dead'), 'x');
    await writeFile(join(temp, `${process.pid}-mine`), 'x');
    await writeFile(join(temp, `${process.pid}-predecessor`), 'x');
    await utimes(join(temp, `${process.pid}-predecessor`), 1, 1);
    await store.start();
    expect(await readdir(temp)).toEqual([`${process.pid}-mine`]);
  });
});

describe('embedded artifacts: events', () => {
  it('are delivered again until the listener takes them, also after a restart', async () => {
    const errors: string[] = [];
    const store = await open({ onError: (error) => errors.push((error as Error).message) });
    let tries = 0;
    store.onCreated(async () => {
      if (++tries < 2) throw new Error('not now');
    });
    await store.artifacts().put('before/start', 'x');
    await store.start();
    await expect.poll(() => tries).toBe(2);
    expect(errors).toEqual(['not now']);
  });

  it('settles announcements of killed puts by what is stored', async () => {
    const store = await open();
    const { etag } = await store.artifacts().put('placed', 'x');
    const db = new DatabaseSync(join(store.dataDir, 'store.sqlite'));
    const announce = (key: string) =>
      db
        .prepare(
          'INSERT INTO outbox(bucket, key, etag, bytes, time, pid, due) VALUES (?, ?, ?, 1, 1, 999999999, 1)',
        )
        .run(store.bucket, key, etag);
    announce('placed');
    announce('never-placed');
    db.close();
    const events: string[] = [];
    store.onCreated(async ({ key }) => void events.push(key));
    await store.start();
    await expect.poll(() => events).toEqual(['placed', 'placed']);
    const left = new DatabaseSync(join(store.dataDir, 'store.sqlite'));
    expect(left.prepare('SELECT count(*) AS n FROM outbox').get()).toMatchObject({ n: 0 });
    left.close();
  });
});

describe('embedded store', () => {
  it('one owner of the engine at a time', async () => {
    const { dataDir } = await open();
    const first = acquireEngineLock(dataDir);
    expect(first).toBeDefined();
    expect(acquireEngineLock(dataDir)).toBeUndefined();
    first!.release();
    const second = acquireEngineLock(dataDir);
    expect(second).toBeDefined();
    second!.release();
  });

  it('takes over the records of a directory of the first version, opened twice', async () => {
    const directory = await temporaryDirectory();
    removers.push(() => directory.remove());
    // As the first version made it, up to what has not changed since.
    const old = new DatabaseSync(join(directory.path, 'store.sqlite'));
    old.exec(`PRAGMA journal_mode = WAL;
      CREATE TABLE records(
        pk TEXT NOT NULL, sk TEXT NOT NULL, attributes TEXT NOT NULL, version INTEGER NOT NULL, ttl INTEGER,
        g1pk TEXT, g1sk TEXT, g2pk TEXT, g2sk TEXT, PRIMARY KEY(pk, sk)) STRICT, WITHOUT ROWID;
      CREATE INDEX records_g1 ON records(g1pk, g1sk, pk, sk) WHERE g1pk IS NOT NULL;
      CREATE INDEX records_g2 ON records(g2pk, g2sk, pk, sk) WHERE g2pk IS NOT NULL;
      CREATE INDEX records_ttl ON records(ttl) WHERE ttl IS NOT NULL;
      CREATE TABLE messages(
        id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, message_id TEXT NOT NULL, body TEXT NOT NULL,
        sent INTEGER NOT NULL, visible INTEGER NOT NULL, receives INTEGER NOT NULL DEFAULT 0, receipt TEXT) STRICT;
      INSERT INTO records VALUES ('p', 'b', '{"n":2}', 7, NULL, 'list', '2', NULL, NULL);
      INSERT INTO records VALUES ('p', 'a', '{"n":1}', 3, 4000000000, 'list', '1', 'other', 'x');
      INSERT INTO records VALUES ('p', 'gone', '{}', 1, 5, NULL, NULL, NULL, NULL);
      PRAGMA user_version = 1;`);
    for (const opening of [1, 2]) {
      const store = openEmbedded({ dataDir: directory.path });
      removers.push(() => store.close());
      const { items } = await store.records.query({ pk: 'p' });
      expect(items, `opening ${opening}`).toEqual([
        {
          ...{ pk: 'p', sk: 'a', attributes: { n: 1 }, version: 3, ttl: 4_000_000_000 },
          ...{ g1: { pk: 'list', sk: '1' }, g2: { pk: 'other', sk: 'x' } },
        },
        {
          pk: 'p',
          sk: 'b',
          attributes: { n: opening === 1 ? 2 : 5 },
          version: opening + 6,
          g1: { pk: 'list', sk: '2' },
        },
      ]);
      expect((await store.records.query({ index: 'g2', pk: 'other' })).items).toHaveLength(1);
      const { pk, sk, g1 } = items[1]!;
      if (opening === 1) await store.records.put({ pk, sk, g1: g1!, attributes: { n: 5 } }, { ifVersion: 7 });
    }
    // Whoever had it open goes on.
    expect(old.prepare('SELECT count(*) AS n FROM records').get()).toMatchObject({ n: 3 });
    old.close();
  });

  it('refuses a directory of a newer version, and calls after closing', async () => {
    const store = await open();
    const db = new DatabaseSync(join(store.dataDir, 'store.sqlite'));
    db.exec('PRAGMA user_version = 99');
    db.close();
    expect(() => openEmbedded({ dataDir: store.dataDir })).toThrow('newer agentmill');
    await store.close();
    await failure(store.records.get({ pk: 'p', sk: 's' }), 'StorageUnavailable');
  });

  it('refuses bad bucket and queue names', async () => {
    const store = await open();
    for (const name of ['', 'a', '../x', 'A-b', 'a..b', '.agentmill-tmp'])
      expect(() => store.artifacts(name)).toThrow('bucket name');
    expect(() => store.queue('a/b')).toThrow('queue name');
  });

  it('presigned addresses hold only as they were signed', async () => {
    const clock = shiftableClock();
    const store = await open({ clock, publicUrl: 'http://127.0.0.1:1' });
    const { url, headers } = await store
      .artifacts()
      .presign('a b/ü', { method: 'PUT', expiresSeconds: 60, bytes: 3 });
    const secret = presignSecret(store.dataDir);
    const now = Math.floor(clock.now() / 1000);
    const check = (address: string, method = 'PUT', at = now) =>
      verifyPresigned(secret, method, new URL(address), at);
    expect(headers).toEqual({});
    expect(check(url)).toMatchObject({ method: 'PUT', bucket: store.bucket, key: 'a b/ü', bytes: 3 });
    expect(check(url, 'PUT', now + 61)).toBe('expired');
    expect(check(url, 'GET')).toBe('forbidden');
    expect(check(url.replace('bytes=3', 'bytes=4'))).toBe('forbidden');
    expect(check(url.replace('a%20b', 'a%20c'))).toBe('forbidden');
    expect(check(url.replace(store.bucket, 'other-bucket'))).toBe('forbidden');
    expect(check('http://x/objects/b/k?method=PUT')).toBe('forbidden');
    expect(verifyPresigned(Buffer.alloc(32), 'PUT', new URL(url), now)).toBe('forbidden');
  });
});

describe('fuzz', () => {
  const segment = fc.oneof(
    fc.constantFrom('a', 'b', 'a-b', 'é', '🪲', '\uffee', '..', ''),
    fc.string({ maxLength: 4 }),
  );
  const anyKey = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));

  it('any key is refused or round-trips, and listing is the sorted set of what was stored', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyKey, { maxLength: 12 }),
        fc.string({ maxLength: 3 }),
        fc.nat(4),
        async (keys, prefix, limit) => {
          const store = await embeddedStore();
          const artifacts = store.artifacts();
          try {
            const stored = new Set<string>();
            for (const key of keys) {
              const outcome = await artifacts.put(key, key).then(
                () => 'stored',
                (error: Error) => error.name,
              );
              if (keyProblem(key) !== undefined) expect(outcome).toBe('InvalidInput');
              else expect(['stored', 'Conflict']).toContain(outcome);
              if (outcome === 'stored') stored.add(key);
            }
            const expected = [...stored]
              .filter((key) => key.startsWith(prefix))
              .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
            const seen: string[] = [];
            for (let after: string | undefined, first = true; first || after !== undefined; first = false) {
              const page = await artifacts.list({
                prefix,
                limit: limit + 1,
                ...(after === undefined ? {} : { after }),
              });
              seen.push(...page.objects.map(({ key }) => key));
              after = page.next;
            }
            expect(seen).toEqual(expected);
          } finally {
            await store.remove();
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('queries give what a sorted, filtered list gives, page by page', async () => {
    const text = fc
      .oneof(
        fc.constantFrom('A', 'A#1', 'A#10', 'B', 'é', '\uffee', '🪲'),
        fc.string({ minLength: 1, maxLength: 3, unit: 'binary' }),
      )
      .filter((value) => value.isWellFormed() && !value.includes('\0') && value.length > 0);
    const sk: fc.Arbitrary<RecordQuery['sk']> = fc.oneof(
      fc.constant(undefined),
      text.map((prefix) => ({ prefix })),
      fc.tuple(text, text).map(([low, high]) => ({ between: [low, high] as [string, string] })),
      fc.record({
        op: fc.constantFrom('=' as const, '<' as const, '<=' as const, '>' as const, '>=' as const),
        value: text,
      }),
    );
    const store = await open();
    let serial = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(text, { maxLength: 20 }),
        sk,
        fc.boolean(),
        fc.integer({ min: 1, max: 5 }),
        async (sks, by, descending, limit) => {
          const pk = `P${++serial}`;
          await Promise.all(sks.map((value) => store.records.put({ pk, sk: value, attributes: {} })));
          const holds = (value: string): boolean => {
            if (by === undefined) return true;
            if ('prefix' in by) return value.startsWith(by.prefix);
            if ('between' in by)
              return compareUtf8(value, by.between[0]) >= 0 && compareUtf8(value, by.between[1]) <= 0;
            const order = compareUtf8(value, by.value);
            return { '=': order === 0, '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[
              by.op
            ];
          };
          const expected = sks.filter(holds).sort(compareUtf8);
          const seen: string[] = [];
          for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
            const page = await store.records.query({
              pk,
              descending,
              limit,
              ...(by ? { sk: by } : {}),
              ...(cursor === undefined ? {} : { cursor }),
            });
            expect(page.items.length).toBeLessThanOrEqual(limit);
            seen.push(...page.items.map((item) => item.sk));
            cursor = page.cursor;
          }
          expect(seen).toEqual(descending ? expected.toReversed() : expected);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('any cursor is refused or gives a page', async () => {
    const store = await open();
    await store.records.put({ pk: 'p', sk: 's', attributes: {} });
    const cursors = fc.oneof(
      fc.string(),
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
      fc
        .tuple(fc.string(), fc.string(), fc.string())
        .map((parts) => Buffer.from(JSON.stringify(['t', 'p', ...parts])).toString('base64url')),
    );
    await fc.assert(
      fc.asyncProperty(cursors, async (cursor) => {
        const outcome = await store.records.query({ pk: 'p', cursor }).then(
          () => 'page',
          (error: Error) => error.name,
        );
        expect(['page', 'InvalidInput']).toContain(outcome);
      }),
      { numRuns: 200 },
    );
  });
});
