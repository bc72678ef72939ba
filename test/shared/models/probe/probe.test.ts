import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { embeddedRuntime } from '#test/support/runtime.ts';
import { isoTime } from '#shared/determinism/clock.ts';
import { closeDoor } from '#shared/models/door.ts';
import { ledgerRows } from '#shared/models/ledger.ts';
import { closeProviders } from '#shared/models/providers/index.ts';
import { degeneracyOf } from '#shared/models/probe/degenerate.ts';
import { listModels, probeModel, testModel } from '#shared/models/probe/index.ts';
import { startServer, type Seen } from '../providers/support.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Body {
  model: string;
  messages: { content: string }[];
  max_tokens: number;
  stream?: boolean;
  tools?: unknown[];
  response_format?: unknown;
}

const WORDS = 'one two three four five six seven eight nine ten';

/** A well-behaved little server of chat/completions. */
function wellBehaved(body: Body, response: ServerResponse): void {
  if (body.model === 'agentmill-no-such-model')
    return void response.writeHead(404).end('{"error":{"message":"no such model"}}');
  if (body.stream) {
    for (const word of WORDS.split(' '))
      response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: `${word} ` } }] })}\n\n`);
    return void response.end('data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
  }
  const answer = (message: unknown, reason = 'stop'): void =>
    void response.end(
      JSON.stringify({
        choices: [{ message, finish_reason: reason }],
        usage: { prompt_tokens: 10, completion_tokens: 5 },
      }),
    );
  if (body.tools) {
    return answer(
      { content: null, tool_calls: [{ id: 'c', function: { name: 'add', arguments: '{"a":17,"b":25}' } }] },
      'tool_calls',
    );
  }
  if (body.messages[0]!.content.startsWith('Add')) return answer({ content: '{"sum": 42}' });
  return answer({ content: WORDS }, body.max_tokens <= 4 ? 'length' : 'stop');
}

async function platform(
  answer: (body: Body, response: ServerResponse) => void,
  entry: Record<string, unknown> = {},
) {
  const server = await startServer((seen: Seen, response) =>
    answer(JSON.parse(seen.body.toString()) as Body, response),
  );
  closing.push(server.close);
  const stub = {
    name: 'stub',
    provider: 'openai',
    endpoint: { url: `${server.url}/v1` },
    contextTokens: 8192,
    maxOutputTokens: 1024,
    price: [{ from: '2020-01-01', inputPerMTok: 1, outputPerMTok: 2 }],
    limits: { rpm: 100000, tpm: 100000000, concurrency: 4 },
    ...entry,
  };
  const big = { ...stub, name: 'big', provider: 'sagemaker-async', endpoint: { name: 'e' }, codec: 'openai' };
  const off = { ...stub, name: 'off', enabled: false };
  const env: Record<string, string> = {};
  const test = await embeddedRuntime({ env });
  closing.push(test.close);
  env.AGENTMILL_MODELS = join(test.dir, 'models.json');
  await writeFile(
    env.AGENTMILL_MODELS,
    JSON.stringify({ models: [{ name: 'builtin', provider: 'builtin' }, stub, big, off] }),
  );
  const runtime = { ...test.runtime, env };
  closing.unshift(
    () => closeDoor(runtime),
    () => closeProviders(runtime),
  );
  return { runtime, server };
}

describe('models list', () => {
  it('shows every model with price, limits, features, breaker and spend', async () => {
    const { runtime } = await platform(wellBehaved, { features: { tools: true } });
    const { text, exitCode, data } = await listModels(runtime);
    expect(exitCode).toBe(0);
    expect(data.models.map(({ name }) => name)).toEqual(['builtin', 'stub', 'big', 'off']);
    expect(data.models[1]).toEqual({
      name: 'stub',
      provider: 'openai',
      enabled: true,
      billing: 'token',
      priceVersion: 'stub@2020-01-01',
      limits: { rpm: 100000, tpm: 100000000, concurrency: 4 },
      features: ['tools'],
      breaker: 'closed',
      spentTodayMicros: 0,
    });
    expect(text.split('\n')).toHaveLength(5);
    expect(text).toMatch(/^off .* no /m);
  });
});

describe('spend today', () => {
  it('counts what probes cost, whose ledger rows are of their own kind', async () => {
    const { runtime } = await platform(wellBehaved);
    const probed = (await probeModel(runtime, 'stub')).data as { costMicros: number };
    expect(probed.costMicros).toBeGreaterThan(0);
    const spent = async () => (await listModels(runtime)).data.models[1]!.spentTodayMicros;
    expect(await spent()).toBe(probed.costMicros);
    await probeModel(runtime, 'stub');
    expect(await spent()).toBe(2 * probed.costMicros);
    const today = isoTime(runtime.clock.now()).slice(0, 10);
    const { items } = await runtime.records.query({ pk: `PROBES#${today}` });
    const kinds: string[] = [];
    for (const { sk } of items)
      for await (const { kind } of ledgerRows(runtime.records, sk)) kinds.push(kind);
    expect(kinds).toEqual(['probe', 'probe', 'probe', 'probe']);
  });
});

describe('models test', () => {
  it('passes a good endpoint and suggests its flags', async () => {
    const { runtime } = await platform(wellBehaved);
    const { exitCode, data, text } = await testModel(runtime, 'stub');
    expect(data).toMatchObject({
      cases: ['text', 'schema', 'tool', 'stream', 'truncation', 'error'].map((name) => ({
        name,
        result: 'pass',
      })),
      suggested: { jsonSchema: true, tools: true, streaming: true },
    });
    expect(exitCode).toBe(0);
    expect(text).toContain('suggested features');
  });

  it('finds what an endpoint cannot do', async () => {
    const { runtime } = await platform((body, response) => {
      if (body.response_format || body.tools)
        return void response.writeHead(400).end('{"error":{"message":"unsupported"}}');
      wellBehaved(body, response);
    });
    const { exitCode, data } = await testModel(runtime, 'stub');
    expect(exitCode).toBe(1);
    expect(data).toMatchObject({ suggested: { jsonSchema: false, tools: false, streaming: true } });
    expect((data as { cases: unknown[] }).cases).toContainEqual({
      name: 'schema',
      result: 'pass',
      detail: 'only without constrained decoding',
    });
    expect((data as { cases: unknown[] }).cases).toContainEqual({
      name: 'tool',
      result: 'fail',
      detail: 'BAD_REQUEST: stub answered HTTP 400. It said: unsupported',
    });
  });

  it('tests the built-in algorithms by what applies to them', async () => {
    const { runtime } = await platform(wellBehaved);
    const { exitCode, data } = await testModel(runtime, 'builtin');
    expect(exitCode).toBe(0);
    expect((data as { cases: { result: string }[] }).cases.map(({ result }) => result)).toEqual([
      'pass',
      'pass',
      'skip',
      'skip',
      'skip',
      'skip',
    ]);
  });
});

describe('models probe', () => {
  it('is 0 on a good model, with its figures', async () => {
    const { runtime } = await platform(wellBehaved);
    const { exitCode, data } = await probeModel(runtime, 'stub');
    expect(exitCode).toBe(0);
    expect(data).toMatchObject({
      verdict: 'ok',
      schema: { ok: true, repairs: [] },
      counting: { ok: true },
      tokens: { input: 20, output: 10 },
      costMicros: 40,
    });
    expect((await probeModel(runtime, 'builtin')).exitCode).toBe(0);
  });

  it('is 1 on a wrong sum and on degenerate text', async () => {
    let sum = '{"sum": 41}';
    const { runtime } = await platform((body, response) => {
      const content = body.messages[0]!.content.startsWith('Add') ? sum : 'one two '.repeat(40);
      response.end(
        JSON.stringify({
          choices: [{ message: { content }, finish_reason: 'stop' }],
          usage: { prompt_tokens: 1, completion_tokens: 1 },
        }),
      );
    });
    expect(await probeModel(runtime, 'stub')).toMatchObject({ exitCode: 1, data: { schema: { ok: false } } });
    sum = '{"sum": 42}';
    expect(await probeModel(runtime, 'stub')).toMatchObject({
      exitCode: 1,
      data: { schema: { ok: true }, counting: { ok: false } },
    });
  });

  it('is 2 on an endpoint that does not answer, 3 on an unknown model, 1 on one that takes no single calls', async () => {
    const { runtime, server } = await platform(wellBehaved);
    await server.close();
    closing.splice(closing.indexOf(server.close), 1);
    expect(await probeModel(runtime, 'stub')).toMatchObject({
      exitCode: 2,
      data: { verdict: 'unreachable' },
    });
    for (const action of [probeModel, testModel]) {
      expect(await action(runtime, 'nobody')).toMatchObject({
        exitCode: 3,
        text: expect.stringContaining('builtin, stub') as string,
      });
      expect(await action(runtime, 'big')).toMatchObject({ exitCode: 1 });
      expect(await action(runtime, 'off')).toMatchObject({ exitCode: 1 });
    }
  });
});

describe('an endpoint that refuses', () => {
  it.each<[string, number, Record<string, string>, string, string, RegExp]>([
    [
      'an unknown model, with control characters and a key',
      404,
      {},
      'no model\u001b[2J here\nfor Bearer abcdefgh12345678',
      'NOT_FOUND',
      /stub answered HTTP 404\. It said: no model \[2J here for Bearer \[redacted\]$/m,
    ],
    ['our key', 403, {}, 'no', 'AUTH', /AUTH.*HTTP 403/],
    ['more, for longer than anybody waits', 429, { 'retry-after': '100' }, 'later', 'THROTTLED', /HTTP 429/],
  ])('is asked nothing more: it refuses %s', async (_name, status, headers, message, code, text) => {
    const { runtime, server } = await platform(
      (_body, response) =>
        void response.writeHead(status, headers).end(JSON.stringify({ error: { message } })),
    );
    const tested = await testModel(runtime, 'stub');
    expect(tested.exitCode).toBe(1);
    expect(tested.text).toMatch(text);
    expect(tested.text).toContain(`the endpoint answers ${code}`);
    expect((tested.data as { cases: { result: string }[] }).cases.map(({ result }) => result)).toEqual([
      'fail',
      ...Array<string>(5).fill('skip'),
    ]);
    expect(server.seen).toHaveLength(1);
  });

  it('is named with its fault by a probe', async () => {
    const { runtime } = await platform(
      (_body, response) => void response.writeHead(401).end('{"error":{"message":"who are you"}}'),
    );
    const { exitCode, data, text } = await probeModel(runtime, 'stub');
    expect({ exitCode, data }).toMatchObject({
      exitCode: 1,
      data: { verdict: 'failed', schema: { ok: false, code: 'AUTH' }, counting: { problem: 'not asked' } },
    });
    expect(text).toContain('failed (AUTH): stub answered HTTP 401. It said: who are you');
  });

  it('is let go when the user stops', async () => {
    const stop = new AbortController();
    const { runtime } = await platform(() => stop.abort());
    for (const action of [probeModel, testModel])
      expect(await action(runtime, 'stub', stop.signal).catch((error: Error) => error.name)).toBe(
        'Cancelled',
      );
  });
});

describe('degenerate text', () => {
  const varied = Array.from({ length: 64 }, (_, index) => `w${index}`).join(' ');
  it.each<[string, string, boolean]>([
    [
      'one word over half of 32',
      `${'no '.repeat(9)}a ${'no '.repeat(8)}${varied.split(' ').slice(0, 14).join(' ')}`,
      true,
    ],
    ['the same in fewer words', 'no no a', false],
    ['two words at the end', `${varied} ${'x y y x '.repeat(4)}`, true],
    ['three words at the end', `${varied} ${'x y z y x '.repeat(3)} z`, false],
    ['a pair eight times', `${'a b '.repeat(8)}${varied}`, true],
    ['a pair seven times', `${'a b '.repeat(7)}${varied}`, false],
    ['eight words eight times', `${varied} ${'a b c d e f g h '.repeat(8)}${varied}`, true],
    ['varied text', varied, false],
    ['nothing', '', false],
  ])('%s: %s', (_name, text, degenerate) => {
    expect(degeneracyOf(text) !== undefined).toBe(degenerate);
  });
});
