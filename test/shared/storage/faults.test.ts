import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRng } from '#shared/determinism/rng.ts';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { openEmbedded } from '#shared/storage/embedded/index.ts';
import { temporaryDirectory } from '#test/contract/support.ts';

const child = (name: string): string => fileURLToPath(new URL(`./children/${name}.ts`, import.meta.url));
const removers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const remove of removers.splice(0)) await remove();
});
async function dataDirectory(): Promise<string> {
  const { path, remove } = await temporaryDirectory();
  removers.push(remove);
  return path;
}

/** Runs the writer until it has acknowledged so many, then kills it; returns everything it acknowledged. */
async function writeAndKill(dataDir: string, from: number, count: number): Promise<string[]> {
  const writer = spawn(process.execPath, [child('writer'), dataDir, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  let lines = 0;
  writer.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    lines += chunk.filter((byte) => byte === 10).length;
    if (lines >= count) writer.kill('SIGKILL');
  });
  await once(writer, 'close');
  return text.split('\n').slice(0, -1);
}

describe('embedded storage under faults', () => {
  it('[embedded-platform 40] kill -9 during 10,000 acknowledged puts and sends: all present after restart', async () => {
    const dataDir = await dataDirectory();
    const rng = seededRng('kill', 40);
    const acknowledged: string[] = [];
    for (let from = 0; acknowledged.length < 10_000; from += 100_000) {
      const lines = await writeAndKill(dataDir, from, 1500 + rng.below(2500));
      acknowledged.push(...lines);
    }
    const store = openEmbedded({ dataDir });
    try {
      const events = new Set<string>();
      store.onCreated(async ({ key }) => void events.add(key));
      await store.start();
      const etags = new Map<string, string>();
      for (let after: string | undefined, first = true; first || after !== undefined; first = false) {
        const page = await store.artifacts().list(after === undefined ? {} : { after });
        for (const { key, etag } of page.objects) etags.set(key, etag);
        after = page.next;
      }
      const bodies = new Set<string>();
      for (let got = -1; got !== 0;) {
        const messages = await store.queue('acknowledged').receive({ max: 10, visibilitySeconds: 600 });
        for (const { body } of messages) bodies.add(body);
        got = messages.length;
      }
      const keyOf = (line: string): string => `d${Number(line.slice(1)) % 10}/${line}`;
      const objects = acknowledged.filter((line) => line.startsWith('o'));
      const missing = objects.filter(
        (line) => etags.get(keyOf(line)) !== sha256Hex(`body ${line.slice(1)}`).slice(0, 32),
      );
      expect(missing).toEqual([]);
      expect(acknowledged.filter((line) => line.startsWith('m') && !bodies.has(line))).toEqual([]);
      await expect.poll(() => objects.filter((line) => !events.has(keyOf(line)))).toEqual([]);
    } finally {
      await store.close();
    }
  }, 180_000);

  it('several processes share a directory: counters, races, messages and events', async () => {
    const dataDir = await dataDirectory();
    const store = openEmbedded({ dataDir });
    const events: string[] = [];
    store.onCreated(async ({ key }) => void events.push(key));
    await store.start();
    const names = ['a', 'b', 'c'];
    const answers = (async () => {
      const got: string[] = [];
      while (got.length < 3)
        got.push(
          ...(await store.queue('answers').receive({ max: 10, waitSeconds: 10 })).map(({ body }) => body),
        );
      return got;
    })();
    const results = await Promise.all(
      names.map(async (name) => {
        const { stdout } = await promisify(execFile)(process.execPath, [child('counter'), dataDir, name]);
        return (JSON.parse(stdout) as { won: boolean }).won;
      }),
    );
    expect(results.filter(Boolean)).toHaveLength(1);
    expect((await store.records.get({ pk: 'P', sk: 'COUNT' }))!.attributes).toEqual({ n: 600 });
    expect((await answers).toSorted()).toEqual(names);
    await expect.poll(() => events.toSorted()).toEqual(['from/a', 'from/b', 'from/c', 'race']);
    await store.close();
  });

  it('a full disk is StorageUnavailable, loses nothing acknowledged and leaves nothing half-written', async () => {
    const dataDir = await dataDirectory();
    const command = `ulimit -f 4096; exec "$0" "$@"`;
    const { stdout } = await promisify(execFile)('sh', [
      '-c',
      command,
      process.execPath,
      child('full-disk'),
      dataDir,
    ]);
    expect(JSON.parse(stdout)).toEqual({
      outcomes: ['done', 'StorageUnavailable', 'StorageUnavailable', 'StorageUnavailable'],
      keys: ['small'],
      lost: 0,
    });
  });
});
