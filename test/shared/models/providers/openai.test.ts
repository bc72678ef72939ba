import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { closeProviders, providerFor, type ProviderEnv } from '#shared/models/providers/index.ts';
import { openaiProvider } from '#shared/models/providers/openai.ts';
import type { InferRequest, Provider } from '#shared/models/types.ts';
import {
  allDeltas,
  callOf,
  completion,
  envOf,
  errorOf,
  memoryArtifacts,
  modelOf,
  requestOf,
  startServer,
  type Seen,
} from './support.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

type Answer = Parameters<typeof startServer>[0];

async function serve(answer: Answer, entry: Record<string, unknown> = {}, env: ProviderEnv = envOf()) {
  const server = await startServer(answer);
  const { auth, ...rest } = entry;
  const model = modelOf({
    provider: 'openai',
    endpoint: { url: `${server.url}/v1/`, ...(auth ? { auth } : {}) },
    ...rest,
  });
  const provider: Provider = await providerFor(model, env);
  closing.push(() => closeProviders(env.runtime), server.close);
  return { server, model, provider, env };
}

const bodyOf = (seen: Seen): Record<string, unknown> =>
  JSON.parse(seen.body.toString()) as Record<string, unknown>;

describe('the provider openai', () => {
  it('posts one request with our ids and reads the answer', async () => {
    const { server, model, provider } = await serve(
      (_seen, response) => void response.end(completion('hello')),
      { served: 'qwen3:4b' },
    );
    expect(await provider.call(callOf(model))).toEqual({
      text: 'hello',
      finish: 'stop',
      usage: { input: 5, output: 2 },
      httpStatus: 200,
    });
    expect(server.seen).toHaveLength(1);
    const [seen] = server.seen;
    expect(seen).toMatchObject({ method: 'POST', path: '/v1/chat/completions' });
    expect(seen!.headers).toMatchObject({
      'x-request-id': 'a'.repeat(32),
      'idempotency-key': 'key-1',
      'content-type': 'application/json',
    });
    expect(seen!.headers.authorization).toBeUndefined();
    expect(bodyOf(seen!)).toMatchObject({ model: 'qwen3:4b', max_tokens: 100 });
  });

  it('sends images as data URLs and refuses ones that changed', async () => {
    const bytes = Buffer.from([1, 2, 3]);
    const env = envOf({}, { artifacts: memoryArtifacts({ 'images/a.png': bytes }) });
    const { server, model, provider } = await serve(
      (_seen, response) => void response.end(completion('a cat')),
      { features: { images: true } },
      env,
    );
    const image = {
      type: 'image' as const,
      key: 'images/a.png',
      sha256: sha256Hex(bytes),
      mime: 'image/png',
      bytes: 3,
    };
    const ask = (part: typeof image) =>
      provider.call(callOf(model, { request: requestOf({ messages: [{ role: 'user', content: [part] }] }) }));
    await ask(image);
    expect(bodyOf(server.seen[0]!).messages).toEqual([
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AQID' } }] },
    ]);
    expect(await errorOf(ask({ ...image, sha256: '0'.repeat(64) }))).toMatchObject({
      code: 'BAD_REQUEST',
      billed: 'no',
    });
    expect(await errorOf(ask({ ...image, key: 'images/b.png' }))).toMatchObject({ code: 'BAD_REQUEST' });
    expect(server.seen).toHaveLength(1);
  });

  it.each<[string, number, Record<string, string>, unknown, Record<string, unknown>]>([
    [
      '429 with Retry-After',
      429,
      { 'retry-after': '3' },
      {},
      { code: 'THROTTLED', billed: 'no', httpStatus: 429, retryAfterMs: 3000 },
    ],
    [
      'an exhausted quota',
      429,
      {},
      { error: { message: 'You exceeded your current quota.' } },
      { code: 'QUOTA' },
    ],
    [
      'a long prompt',
      400,
      {},
      { error: { message: 'maximum context length is 8' } },
      { code: 'CONTEXT_OVERFLOW' },
    ],
    ['an unknown model', 404, {}, { error: { message: 'model not found' } }, { code: 'NOT_FOUND' }],
    ['a bad request', 422, {}, 'no', { code: 'BAD_REQUEST' }],
    ['a failing server', 500, {}, '<html>', { code: 'UNAVAILABLE', billed: 'no' }],
    ['a refused key', 403, {}, {}, { code: 'AUTH' }],
    ['a redirect', 302, { location: 'http://127.0.0.1:1/' }, '', { code: 'DEFECT' }],
  ])('classifies %s', async (_name, status, headers, body, expected) => {
    const { server, model, provider } = await serve(
      (_seen, response) => void response.writeHead(status, headers).end(JSON.stringify(body)),
    );
    expect(await errorOf(provider.call(callOf(model)))).toMatchObject(expected);
    expect(server.seen).toHaveLength(1);
  });

  it('calls an unreadable 200 and an error inside 200 BAD_RESPONSE', async () => {
    const answers = ['{"choices":[', '<html>', '{"error":{"message":"overloaded"}}', '{}'];
    const { model, provider } = await serve((_seen, response, index) => void response.end(answers[index]));
    for (const _answer of answers) {
      expect(await errorOf(provider.call(callOf(model)))).toMatchObject({
        code: 'BAD_RESPONSE',
        billed: 'unknown',
      });
    }
  });

  it('calls an answer that was cut BAD_RESPONSE, streamed or not', async () => {
    const { model, provider } = await serve((_seen, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '5000' });
      response.flushHeaders();
      response.write('{"choices":[{"mess', () => response.destroy());
    });
    const cut = { code: 'BAD_RESPONSE', billed: 'unknown' };
    expect(await errorOf(provider.call(callOf(model)))).toMatchObject(cut);
    expect(await errorOf(allDeltas(provider.stream!(callOf(model))))).toMatchObject(cut);
  });

  it('times out, notices cancellation, a dead port and a broken connection', async () => {
    const { model, provider } = await serve((seen, response) => {
      if (seen.body.includes('break')) response.destroy();
    });
    expect(await errorOf(provider.call(callOf(model, { timeoutMs: 500 })))).toMatchObject({
      code: 'TIMEOUT',
      billed: 'unknown',
    });
    const controller = new AbortController();
    const call = errorOf(provider.call(callOf(model, { signal: controller.signal })));
    controller.abort();
    expect(await call).toMatchObject({ code: 'TIMEOUT' });
    const broken = requestOf({ messages: [{ role: 'user', content: 'break' }] });
    expect(await errorOf(provider.call(callOf(model, { request: broken })))).toMatchObject({
      code: 'UNAVAILABLE',
      billed: 'unknown',
    });

    const port = await freePort();
    const dead = modelOf({ provider: 'openai', endpoint: { url: `http://127.0.0.1:${port}/v1` } });
    const lonely = openaiProvider(dead, envOf());
    closing.push(() => lonely.close!());
    expect(await errorOf(lonely.call(callOf(dead)))).toMatchObject({ code: 'UNAVAILABLE', billed: 'no' });
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('its streams', () => {
  const chunk = (content: string): string =>
    `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
  const END = `data: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: 'stop' }] })}\n\ndata: [DONE]\n\n`;

  it('yields deltas as they come and asks for usage', async () => {
    const { server, model, provider } = await serve((_seen, response) => {
      response.write(chunk('Hé'));
      response.end(chunk('llo') + END);
    });
    expect(await allDeltas(provider.stream!(callOf(model)))).toEqual([
      { type: 'text', delta: 'Hé' },
      { type: 'text', delta: 'llo' },
      { type: 'finish', finish: 'stop' },
    ]);
    expect(bodyOf(server.seen[0]!)).toMatchObject({ stream: true, stream_options: { include_usage: true } });
  });

  it('needs no end of the connection once the answer is whole', async () => {
    const { model, provider } = await serve((_seen, response) => {
      response.write(chunk('all') + END);
      // The server leaves the connection open, as some gateways do.
    });
    expect(await allDeltas(provider.stream!(callOf(model, { timeoutMs: 600_000 })))).toEqual([
      { type: 'text', delta: 'all' },
      { type: 'finish', finish: 'stop' },
    ]);
  });

  it('takes a whole answer from a server that does not stream', async () => {
    const { model, provider } = await serve((_seen, response) => void response.end(completion('whole')));
    expect(await allDeltas(provider.stream!(callOf(model)))).toEqual([
      { type: 'text', delta: 'whole' },
      { type: 'finish', finish: 'stop' },
      { type: 'usage', usage: { input: 5, output: 2 } },
    ]);
  });

  it('reads no stream without end', async () => {
    const line = `data: ${JSON.stringify({ choices: [{ delta: { content: 'x'.repeat(500_000) } }] })}\n\n`;
    const { model, provider } = await serve((_seen, response) => {
      const more = (): void => {
        while (!response.destroyed) if (!response.write(line)) return void response.once('drain', more);
      };
      more();
    });
    expect(await errorOf(allDeltas(provider.stream!(callOf(model))))).toMatchObject({
      code: 'BAD_RESPONSE',
      billed: 'unknown',
    });
  });

  it('ends a silent stream by its idle limit, a broken and a cut one as BAD_RESPONSE, a refused one by status', async () => {
    const server = await startServer((_seen, response, index) => {
      if (index === 3) return void response.writeHead(503).end();
      response.write(chunk('x'));
      // Long enough for the first part to arrive on its own.
      if (index === 1) setTimeout(() => response.destroy(), 20);
      if (index === 2) response.end();
    });
    closing.push(server.close);
    const model = modelOf({ provider: 'openai', endpoint: { url: server.url } });
    const run = (options?: { idleMs: number }) => {
      const provider = openaiProvider(model, envOf(), options);
      closing.push(() => provider.close!());
      return errorOf(allDeltas(provider.stream!(callOf(model))));
    };
    expect(await run({ idleMs: 80 })).toMatchObject({
      code: 'TIMEOUT',
      billed: 'unknown',
      message: expect.stringContaining('silent') as string,
    });
    expect(await run()).toMatchObject({ code: 'BAD_RESPONSE', billed: 'unknown' });
    expect(await run()).toMatchObject({ code: 'BAD_RESPONSE', billed: 'unknown' });
    expect(await run()).toMatchObject({ code: 'UNAVAILABLE', billed: 'no' });
  });
});

describe('its tokens', () => {
  const jwt = (id: number, exp: number): string =>
    `e30.${Buffer.from(JSON.stringify({ id, exp })).toString('base64url')}.sig${id}`;

  it('[model-inference 12] a 401 under 20 concurrent calls refreshes the token once', async () => {
    let issued = 0;
    const identity = await startServer((_seen, response) => {
      issued++;
      response.end(jwt(issued, Date.now() / 1000 + 3600));
    });
    closing.push(identity.close);
    let valid = 1;
    const env = envOf({ AGENTMILL_OIDC_TOKEN_URL: `${identity.url}/identity` });
    const { server, model, provider } = await serve(
      (seen, response) => {
        const good = seen.headers.authorization?.endsWith(`sig${valid}`);
        response.writeHead(good ? 200 : 401).end(good ? completion('in') : '{}');
      },
      {
        auth: { type: 'oidc', audience: 'https://tpu.example.com' },
        limits: { rpm: 1, tpm: 1, concurrency: 32 },
      },
      env,
    );
    await provider.call(callOf(model));
    expect(issued).toBe(1);
    expect(identity.seen[0]!.path).toBe('/identity?audience=https%3A%2F%2Ftpu.example.com');
    expect(identity.seen[0]!.headers['metadata-flavor']).toBe('Google');

    valid = 2;
    server.seen.length = 0;
    const replies = await Promise.all(Array.from({ length: 20 }, () => provider.call(callOf(model))));
    expect(replies.every(({ text }) => text === 'in')).toBe(true);
    expect(issued).toBe(2);

    valid = 99;
    expect(await errorOf(provider.call(callOf(model)))).toMatchObject({
      code: 'AUTH',
      httpStatus: 401,
      billed: 'no',
    });
    expect(issued).toBe(3);
  });

  it('refreshes 60 s early', async () => {
    let issued = 0;
    const identity = await startServer((_seen, response) => {
      issued++;
      response.end(JSON.stringify({ value: jwt(issued, Date.now() / 1000 + (issued === 1 ? 59 : 300)) }));
    });
    closing.push(identity.close);
    const { model, provider } = await serve(
      (_seen, response) => void response.end(completion('in')),
      { auth: { type: 'oidc', audience: 'a' } },
      envOf({ AGENTMILL_OIDC_TOKEN_URL: identity.url }),
    );
    for (let call = 0; call < 3; call++) await provider.call(callOf(model));
    expect(issued).toBe(2);
  });

  it('reads a projected token file and a named secret, and never tells them', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'oidc-'));
    closing.push(() => rm(dir, { recursive: true }));
    await writeFile(join(dir, 'token'), 'file-token\n');
    const answer: Answer = (seen, response) =>
      void response
        .writeHead(seen.headers.authorization ? 200 : 401)
        .end(completion(seen.headers.authorization ?? ''));
    const file = await serve(
      answer,
      { auth: { type: 'oidc', audience: 'a' } },
      envOf({ AGENTMILL_OIDC_TOKEN_FILE: join(dir, 'token') }),
    );
    expect((await file.provider.call(callOf(file.model))).text).toBe('Bearer file-token');
    const secret = await serve(
      answer,
      { auth: { type: 'secret', secret: 'GATEWAY_KEY' } },
      envOf({ GATEWAY_KEY: 'canary-5c1f' }),
    );
    expect((await secret.provider.call(callOf(secret.model))).text).toBe('Bearer canary-5c1f');
  });

  it('is AUTH without a source of tokens, sending nothing', async () => {
    for (const auth of [
      { type: 'oidc', audience: 'a' },
      { type: 'secret', secret: 'ABSENT_KEY' },
    ]) {
      const { server, model, provider } = await serve(
        (_seen, response) => void response.end(completion('')),
        { auth },
      );
      const error = await errorOf(provider.call(callOf(model)));
      expect(error).toMatchObject({ code: 'AUTH', billed: 'no' });
      expect(server.seen).toHaveLength(0);
    }
  });

  it.each([
    ['JSON that is cut', '{"value": "ey'],
    ['JSON without a token', '{"error": "denied"}'],
    ['a page', '<html> log in </html>'],
  ])('is AUTH where the identity server answers %s', async (_name, body) => {
    const identity = await startServer((_seen, response) => void response.end(body));
    closing.push(identity.close);
    for (const address of [identity.url, 'no address']) {
      const { server, model, provider } = await serve(
        (_seen, response) => void response.end(completion('')),
        { auth: { type: 'oidc', audience: 'a' } },
        envOf({ AGENTMILL_OIDC_TOKEN_URL: address }),
      );
      expect(await errorOf(provider.call(callOf(model)))).toMatchObject({ code: 'AUTH', unsent: true });
      expect(server.seen).toHaveLength(0);
    }
  });

  it('never asks an identity server in the clear', async () => {
    const { model, provider } = await serve(
      (_seen, response) => void response.end(completion('')),
      { auth: { type: 'oidc', audience: 'a' } },
      envOf({ AGENTMILL_OIDC_TOKEN_URL: 'http://10.1.2.3/' }),
    );
    expect((await errorOf(provider.call(callOf(model)))).message).toMatch(/must be HTTPS/);
  });

  it('carries no secret and no prompt in its errors', async () => {
    const { model, provider } = await serve(
      (_seen, response) => void response.writeHead(500).end('{"error":{"message":"canary-prompt echoed"}}'),
      { auth: { type: 'secret', secret: 'GATEWAY_KEY' } },
      envOf({ GATEWAY_KEY: 'canary-secret' }),
    );
    const request: InferRequest = requestOf({ messages: [{ role: 'user', content: 'canary-prompt' }] });
    const error = await errorOf(provider.call(callOf(model, { request })));
    expect(error.said).toBe('canary-prompt echoed');
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toMatch(/canary/);
  });

  it('keeps the key out of the words of a gateway that repeats it', async () => {
    const { model, provider } = await serve(
      (seen, response) =>
        void response
          .writeHead(403)
          .end(
            JSON.stringify({ error: { message: `no such key: ${seen.headers.authorization?.slice(7)}` } }),
          ),
      { auth: { type: 'secret', secret: 'GATEWAY_KEY' } },
      envOf({ GATEWAY_KEY: 'canary-secret' }),
    );
    const error = await errorOf(provider.call(callOf(model)));
    expect(error).toMatchObject({ code: 'AUTH', unsent: false });
    expect(error.said).toBe('no such key: [redacted]');
  });
});
