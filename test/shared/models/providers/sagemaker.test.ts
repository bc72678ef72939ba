import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { startAttempt } from '#shared/models/providers/attempt.ts';
import { asProviderError } from '#shared/models/providers/sagemaker-client.ts';
import { closeProviders, providerFor } from '#shared/models/providers/index.ts';
import { ProviderError, type Provider, type ProviderCall } from '#shared/models/types.ts';
import {
  allDeltas,
  callOf,
  completion,
  envOf,
  errorOf,
  modelOf,
  payloadPart,
  requestOf,
  startServer,
  streamException,
} from './support.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** The provider with the real SDK client, pointed at a server of ours that speaks the wire protocol. */
async function serve(answer: Parameters<typeof startServer>[0], entry: Record<string, unknown> = {}) {
  const server = await startServer(answer);
  const env = envOf({ AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: server.url });
  const { endpoint, ...rest } = entry;
  const model = modelOf({
    provider: 'sagemaker',
    codec: 'openai',
    endpoint: { name: 'am-qwen', region: 'eu-west-1', ...(endpoint as object) },
    ...rest,
  });
  const provider: Provider = await providerFor(model, env);
  closing.push(() => closeProviders(env.runtime), server.close);
  return { server, model, provider };
}

describe('the provider sagemaker', () => {
  it('invokes the endpoint once, with our ids', async () => {
    const { server, model, provider } = await serve(
      (_seen, response) => void response.end(completion('hi')),
      { endpoint: { variant: 'blue' } },
    );
    expect(await provider.call(callOf(model))).toEqual({
      text: 'hi',
      finish: 'stop',
      usage: { input: 5, output: 2 },
      httpStatus: 200,
    });
    expect(server.seen).toHaveLength(1);
    expect(server.seen[0]).toMatchObject({
      method: 'POST',
      path: '/endpoints/am-qwen/invocations',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        'x-amzn-sagemaker-inference-id': 'a'.repeat(32),
        'x-amzn-sagemaker-custom-attributes': `am-attempt=${'a'.repeat(32)}`,
        'x-amzn-sagemaker-target-variant': 'blue',
      },
    });
    expect(JSON.parse(server.seen[0]!.body.toString())).toMatchObject({
      messages: [{ role: 'user', content: 'Say hello.' }],
    });
  });

  it('names an inference component, and speaks the other codec', async () => {
    const { server, model, provider } = await serve(
      (_seen, response) =>
        void response.end('[{"generated_text":"hi","details":{"finish_reason":"eos_token"}}]'),
      { codec: 'generate', chatTemplate: 'plain', endpoint: { inferenceComponent: 'qwen' } },
    );
    expect((await provider.call(callOf(model))).text).toBe('hi');
    expect(server.seen[0]!.headers['x-amzn-sagemaker-inference-component']).toBe('qwen');
  });

  type Wire = { status: number; type?: string; body?: unknown; headers?: Record<string, string> };
  it.each<[string, Wire, Record<string, unknown>]>([
    ['402', { status: 402 }, { code: 'QUOTA', billed: 'no' }],
    [
      'ServiceQuotaExceededException',
      { status: 400, type: 'ServiceQuotaExceededException' },
      { code: 'QUOTA' },
    ],
    [
      'ModelNotReadyException',
      { status: 429, type: 'ModelNotReadyException' },
      { code: 'UNAVAILABLE', untilDeadline: true, billed: 'no' },
    ],
    [
      '429',
      { status: 429, type: 'TooManyRequestsException', headers: { 'retry-after': '7' } },
      { code: 'THROTTLED', retryAfterMs: 7000 },
    ],
    [
      'ModelError original 429',
      {
        status: 424,
        type: 'ModelError',
        body: { Message: 'm', OriginalStatusCode: 429, OriginalMessage: 'slow' },
      },
      { code: 'THROTTLED' },
    ],
    ['AccessDeniedException', { status: 403, type: 'AccessDeniedException' }, { code: 'AUTH' }],
    [
      'ExpiredTokenException',
      { status: 403, type: 'ExpiredTokenException', body: { message: 'The security token is expired' } },
      { code: 'AUTH' },
    ],
    [
      'an unknown endpoint',
      { status: 400, type: 'ValidationError', body: { Message: 'Endpoint am-qwen of account 1 not found.' } },
      { code: 'NOT_FOUND' },
    ],
    ['404', { status: 404, type: 'UnknownOperationException' }, { code: 'NOT_FOUND' }],
    [
      'a long prompt',
      {
        status: 424,
        type: 'ModelError',
        body: { Message: 'm', OriginalStatusCode: 400, OriginalMessage: 'maximum context length is 8' },
      },
      { code: 'CONTEXT_OVERFLOW' },
    ],
    [
      'ValidationError',
      { status: 400, type: 'ValidationError', body: { Message: 'bad body' } },
      { code: 'BAD_REQUEST' },
    ],
    [
      'ValidationException',
      { status: 400, type: 'ValidationException', body: { message: 'bad body' } },
      { code: 'BAD_REQUEST' },
    ],
    [
      'ModelError original 400',
      { status: 424, type: 'ModelError', body: { OriginalStatusCode: 400, OriginalMessage: 'no' } },
      { code: 'BAD_REQUEST' },
    ],
    [
      'ServiceUnavailable',
      { status: 503, type: 'ServiceUnavailable' },
      { code: 'UNAVAILABLE', billed: 'no' },
    ],
    ['InternalFailure', { status: 500, type: 'InternalFailure' }, { code: 'UNAVAILABLE' }],
    [
      'InternalDependencyException',
      { status: 530, type: 'InternalDependencyException' },
      { code: 'UNAVAILABLE' },
    ],
    [
      'ModelError original 500',
      { status: 424, type: 'ModelError', body: { OriginalStatusCode: 500, OriginalMessage: 'boom' } },
      { code: 'UNAVAILABLE' },
    ],
    [
      'ModelError original 0',
      { status: 424, type: 'ModelError', body: { OriginalStatusCode: 0, OriginalMessage: 'gone' } },
      { code: 'UNAVAILABLE' },
    ],
    ['an unreadable error body', { status: 502, body: '<html>' }, { code: 'UNAVAILABLE' }],
  ])('[model-inference 6] %s: its code, one HTTP request', async (_name, wire, expected) => {
    const { server, model, provider } = await serve((_seen, response) => {
      response.writeHead(wire.status, {
        'content-type': 'application/json',
        ...(wire.type ? { 'x-amzn-errortype': wire.type } : {}),
        ...wire.headers,
      });
      response.end(typeof wire.body === 'string' ? wire.body : JSON.stringify(wire.body ?? {}));
    });
    expect(await errorOf(provider.call(callOf(model)))).toMatchObject(expected);
    expect(server.seen).toHaveLength(1);
    if (model.endpoint.name)
      expect(await errorOf(allDeltas(provider.stream!(callOf(model))))).toMatchObject(expected);
    expect(server.seen).toHaveLength(2);
  });

  it('[model-inference 7] ThrottlingException as HTTP 400 with a null message is THROTTLED', async () => {
    const { server, model, provider } = await serve(
      (_seen, response) =>
        void response
          .writeHead(400, { 'x-amzn-errortype': 'ThrottlingException', 'content-type': 'application/json' })
          .end('{"message":null}'),
    );
    expect(await errorOf(provider.call(callOf(model)))).toMatchObject({
      code: 'THROTTLED',
      billed: 'no',
      httpStatus: 400,
    });
    expect(server.seen).toHaveLength(1);
  });

  it('[model-inference 8] a body of 6,000,001 bytes is BAD_REQUEST, nothing sent; one byte less goes', async () => {
    const { server, model, provider } = await serve((_seen, response) => void response.end(completion('hi')));
    const sized = async (bytes: number): Promise<ProviderCall> => {
      const empty = requestOf({ messages: [{ role: 'user', content: '' }] });
      await provider.call(callOf(model, { request: empty }));
      const rest = bytes - server.seen.pop()!.body.length;
      return callOf(model, {
        request: requestOf({ messages: [{ role: 'user', content: 'x'.repeat(rest) }] }),
      });
    };
    const tooLarge = await sized(6_000_001);
    expect(await errorOf(provider.call(tooLarge))).toMatchObject({ code: 'BAD_REQUEST', billed: 'no' });
    expect(await errorOf(allDeltas(provider.stream!(await sized(6_000_001))))).toMatchObject({
      code: 'BAD_REQUEST',
    });
    expect(server.seen).toHaveLength(0);
    expect((await provider.call(await sized(6_000_000))).text).toBe('hi');
    expect(server.seen[0]!.body).toHaveLength(6_000_000);
  });

  it('[model-inference 6] a time-out, a reset and an unreadable 200', async () => {
    const { server, model, provider } = await serve((_seen, response, index) => {
      if (index === 1) response.destroy();
      if (index === 2) response.end('{"choices":[');
      if (index === 3) response.end('{"error":{"message":"overloaded"}}');
    });
    expect(await errorOf(provider.call(callOf(model, { timeoutMs: 500 })))).toMatchObject({
      code: 'TIMEOUT',
      billed: 'unknown',
    });
    expect(await errorOf(provider.call(callOf(model)))).toMatchObject({
      code: 'UNAVAILABLE',
      billed: 'unknown',
    });
    expect(await errorOf(provider.call(callOf(model)))).toMatchObject({
      code: 'BAD_RESPONSE',
      billed: 'unknown',
    });
    expect(await errorOf(provider.call(callOf(model)))).toMatchObject({ code: 'BAD_RESPONSE' });
    expect(server.seen).toHaveLength(4);
  });
});

describe('its streams', () => {
  const chunk = (content: string): string =>
    `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
  const END = `data: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: 'stop' }] })}\n\ndata: [DONE]\n\n`;
  const EXPECTED = [
    { type: 'text', delta: 'Hé 👩‍🔬' },
    { type: 'text', delta: '!' },
    { type: 'finish', finish: 'stop' },
  ];
  const headers = {
    'content-type': 'application/vnd.amazon.eventstream',
    'x-amzn-sagemaker-content-type': 'text/event-stream',
  };

  it('[model-inference 5] payload parts cut at every byte decode the same', async () => {
    const bytes = Buffer.from(chunk('Hé 👩‍🔬') + chunk('!') + END);
    const { server, model, provider } = await serve((_seen, response, index) => {
      response.writeHead(200, headers);
      response.end(
        Buffer.concat([payloadPart(bytes.subarray(0, index)), payloadPart(bytes.subarray(index))]),
      );
    });
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(await allDeltas(provider.stream!(callOf(model)))).toEqual(EXPECTED);
    }
    expect(server.seen[0]).toMatchObject({ path: '/endpoints/am-qwen/invocations-response-stream' });
  });

  it('[model-inference 5] the wire itself cut at every 7th byte decodes the same', async () => {
    const wire = Buffer.concat([payloadPart(chunk('Hé 👩‍🔬')), payloadPart(chunk('!')), payloadPart(END)]);
    const { model, provider } = await serve((_seen, response, index) => {
      response.writeHead(200, headers);
      response.write(wire.subarray(0, 1 + index * 7));
      // The rest in a segment of its own.
      setImmediate(() => response.end(wire.subarray(1 + index * 7)));
    });
    for (let cut = 0; 1 + cut * 7 < wire.length; cut++) {
      expect(await allDeltas(provider.stream!(callOf(model)))).toEqual(EXPECTED);
    }
  });

  it.each<[string, Buffer, Record<string, unknown>]>([
    [
      'ModelStreamError',
      streamException('ModelStreamError', { Message: 'broken', ErrorCode: 'StreamBroken' }),
      { code: 'TIMEOUT', billed: 'unknown' },
    ],
    [
      'InternalStreamFailure',
      streamException('InternalStreamFailure', { Message: 'oops' }),
      { code: 'UNAVAILABLE', billed: 'unknown' },
    ],
    [
      'an error line',
      payloadPart('data: {"error":{"message":"x"}}\n\n'),
      { code: 'BAD_RESPONSE', billed: 'unknown' },
    ],
    ['a cut stream', Buffer.alloc(0), { code: 'BAD_RESPONSE', billed: 'unknown' }],
    ['a broken frame', payloadPart('xxxxxxxx').fill(0, 20, 24), { code: 'BAD_RESPONSE' }],
  ])('[model-inference 6] %s is an error even after text', async (_name, ending, expected) => {
    const { server, model, provider } = await serve((_seen, response) => {
      response.writeHead(200, headers);
      response.end(Buffer.concat([payloadPart(chunk('text')), ending]));
    });
    const seen: unknown[] = [];
    const error = await errorOf(
      (async () => {
        for await (const delta of provider.stream!(callOf(model))) seen.push(delta);
      })(),
    );
    expect(seen).toEqual([{ type: 'text', delta: 'text' }]);
    expect(error).toMatchObject(expected);
    expect(server.seen).toHaveLength(1);
  });

  it('[model-inference 6] a silent stream ends in time', async () => {
    const { model, provider } = await serve((_seen, response) => {
      response.writeHead(200, headers);
      response.write(payloadPart(chunk('text')));
    });
    expect(await errorOf(allDeltas(provider.stream!(callOf(model, { timeoutMs: 500 }))))).toMatchObject({
      code: 'TIMEOUT',
      billed: 'unknown',
    });
  });

  it('never throws anything but a ProviderError, whatever the frames', async () => {
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc.string().map((text) => payloadPart(text)),
      fc.jsonValue().map((value) => payloadPart(`data: ${JSON.stringify(value)}\n\n`)),
      fc.string({ unit: fc.constantFrom('a', '-', ':', 'Error') }).map((type) => streamException(type, {})),
      fc.constant(payloadPart(chunk('text'))),
      // A frame whose last bytes are missing.
      fc.constant(payloadPart(chunk('text')).subarray(0, -3)),
    );
    let frames: Buffer[] = [];
    const { model, provider } = await serve((_seen, response) => {
      response.writeHead(200, headers);
      response.end(Buffer.concat(frames));
    });
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 6 }), async (parts) => {
        frames = parts;
        try {
          await allDeltas(provider.stream!(callOf(model)));
        } catch (error) {
          expect(error).toBeInstanceOf(ProviderError);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('needs no end of the connection once the answer is whole', async () => {
    const { model, provider } = await serve((_seen, response) => {
      response.writeHead(200, headers);
      response.write(payloadPart(chunk('text')));
      const end = { choices: [{ delta: {}, finish_reason: 'stop' }] };
      response.write(payloadPart(`data: ${JSON.stringify(end)}\n\ndata: [DONE]\n\n`));
    });
    expect(await allDeltas(provider.stream!(callOf(model)))).toEqual([
      { type: 'text', delta: 'text' },
      { type: 'finish', finish: 'stop' },
    ]);
  });
});

describe('what this machine lacks', () => {
  it.each([
    ['a region', new Error('Region is missing'), 'BAD_REQUEST', 'AWS_REGION'],
    [
      'credentials',
      Object.assign(new Error('Could not load'), { name: 'CredentialsProviderError' }),
      'AUTH',
      'credentials',
    ],
  ])('is said, and nothing is charged: %s', (_name, cause, code, text) => {
    const attempt = startAttempt({ timeoutMs: 1000, signal: new AbortController().signal });
    attempt.dispose();
    const error = asProviderError(cause, attempt);
    expect(error).toMatchObject({ code, billed: 'no', unsent: true });
    expect(error.message).toContain(text);
  });
});
