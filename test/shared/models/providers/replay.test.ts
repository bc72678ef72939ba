import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { providerFor } from '#shared/models/providers/index.ts';
import { replayKey } from '#shared/models/providers/replay.ts';
import { callOf, completion, envOf, errorOf, modelOf, requestOf, startServer } from './support.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'replay-'));
});
afterEach(() => rm(dir, { recursive: true }));

const cassette = async (...lines: unknown[]): Promise<string> => {
  const file = join(dir, 'tape.jsonl');
  await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return file;
};
const player = (file: string, extra = {}) =>
  modelOf({ name: 'replay', provider: 'replay', endpoint: { file, ...extra } });

describe('replay', () => {
  it('plays answers, errors and delays in their order, the last again and again', async () => {
    const key = replayKey(requestOf());
    const model = player(
      await cassette(
        {
          key,
          error: { code: 'THROTTLED', message: 'slow down', billed: 'no', httpStatus: 429, retryAfterMs: 5 },
        },
        { key, delayMs: 3, reply: { text: 'late', finish: 'stop' } },
        { key, reply: { text: 'soon', finish: 'stop', usage: { input: 1, output: 1 } } },
      ),
    );
    const provider = await providerFor(model, envOf());
    expect(await errorOf(provider.call(callOf(model)))).toMatchObject({
      code: 'THROTTLED',
      retryAfterMs: 5,
      httpStatus: 429,
    });
    expect((await provider.call(callOf(model))).text).toBe('late');
    expect((await provider.call(callOf(model))).text).toBe('soon');
    expect((await provider.call(callOf(model))).usage).toEqual({ input: 1, output: 1 });
  });

  it('keys by content: not by model, id or meta; defaults count as given', () => {
    const key = replayKey(requestOf());
    expect(
      replayKey(
        requestOf({ id: 'other', model: 'other', meta: { a: 1 }, params: { temperature: 0, sample: 0 } }),
      ),
    ).toBe(key);
    expect(replayKey(requestOf({ params: { sample: 1 } }))).not.toBe(key);
    expect(replayKey(requestOf({ role: { name: 'qa/answer', version: '2' } }))).not.toBe(key);
  });

  it('is REPLAY_MISS on what was not recorded, and says which line of a cassette is unusable', async () => {
    const model = player(await cassette({ key: '0'.repeat(64), reply: { text: '', finish: 'stop' } }));
    expect(await errorOf((await providerFor(model, envOf())).call(callOf(model)))).toMatchObject({
      code: 'REPLAY_MISS',
    });
    const bad = player(
      await cassette({ key: '0'.repeat(64), reply: { text: '', finish: 'stop' } }, { key: 'short' }),
    );
    const error = await errorOf(providerFor(bad, envOf()));
    expect(error).toMatchObject({ code: 'FILE_MISSING' });
    expect(error.message).toMatch(/Line 2 of the cassette .*key/);
    expect(await errorOf(providerFor(player(join(dir, 'absent.jsonl')), envOf()))).toMatchObject({
      code: 'FILE_MISSING',
    });
  });

  it('records what the upstream answers, once a request, and plays it strictly afterwards', async () => {
    const server = await startServer((_seen, response) => void response.end(completion('from upstream')));
    const file = join(dir, 'new', 'tape.jsonl');
    const models = join(dir, 'models.json');
    const entry = {
      name: 'up',
      provider: 'openai',
      endpoint: { url: server.url },
      contextTokens: 1000,
      maxOutputTokens: 10,
      billing: 'free',
      limits: { rpm: 1, tpm: 1, concurrency: 1 },
    };
    await writeFile(models, JSON.stringify({ models: [entry] }));
    try {
      const env = envOf({ AGENTMILL_MODELS: models });
      const model = player(file, { mode: 'record', upstream: 'up' });
      const provider = await providerFor(model, env);
      const replies = await Promise.all([1, 2, 3].map(() => provider.call(callOf(model))));
      expect(replies.map(({ text }) => text)).toEqual(Array(3).fill('from upstream'));
      await provider.call(callOf(model));
      expect(server.seen).toHaveLength(1);
      expect((await readFile(file, 'utf8')).trim().split('\n')).toHaveLength(1);
      const strict = player(file);
      expect((await (await providerFor(strict, env)).call(callOf(strict))).text).toBe('from upstream');
    } finally {
      await server.close();
    }
  });
});
