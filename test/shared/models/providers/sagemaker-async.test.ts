import { afterEach, describe, expect, it } from 'vitest';
import {
  asyncExpiry,
  asyncFailure,
  planAsync,
  readAsyncOutput,
  submitAsync,
} from '#shared/models/providers/sagemaker-async.ts';
import { providerFor } from '#shared/models/providers/index.ts';
import {
  callOf,
  completion,
  envOf,
  errorOf,
  memoryArtifacts,
  modelOf,
  requestOf,
  startServer,
} from './support.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const model = modelOf({
  provider: 'sagemaker-async',
  codec: 'openai',
  endpoint: { name: 'am-big', region: 'eu-west-1' },
  async: { ttlSeconds: 600, invocationTimeoutSeconds: 120 },
});
const plan = planAsync({ jobId: 'qa.abc', requestHash: 'f'.repeat(64), ordinal: 0 });

async function serve(answer: Parameters<typeof startServer>[0]) {
  const server = await startServer(answer);
  closing.push(server.close);
  const artifacts = memoryArtifacts();
  return { server, artifacts, env: envOf({ AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: server.url }, { artifacts }) };
}

describe('submissions to asynchronous endpoints', () => {
  it('go inline where asked for and small, to keys known before', async () => {
    const { server, artifacts, env } = await serve(
      (_seen, response) => void response.writeHead(202).end('{}'),
    );
    const before = Date.now();
    const submission = await submitAsync(callOf(model), env, plan, { inline: true });
    expect(submission).toMatchObject({
      inferenceId: 'a'.repeat(32),
      outputKey: plan.outputKey,
      failureKey: plan.failureKey,
    });
    expect(submission.expiresAt - before).toBeGreaterThanOrEqual((600 + 120 + 300) * 1000);
    expect(server.seen[0]).toMatchObject({
      path: '/endpoints/am-big/async-invocations',
      headers: {
        'x-amzn-sagemaker-inference-id': 'a'.repeat(32),
        'x-amzn-sagemaker-requestttlseconds': '600',
        'x-amzn-sagemaker-invocationtimeoutseconds': '120',
        'x-amzn-sagemaker-s3outputpathextension': 'qa.abc',
        'x-amzn-sagemaker-filename': plan.filename,
      },
    });
    expect(JSON.parse(server.seen[0]!.body.toString())).toMatchObject({ max_tokens: 100 });
    expect(server.seen[0]!.headers['x-amzn-sagemaker-inputlocation']).toBeUndefined();
    expect(artifacts.objects.size).toBe(0);
  });

  it('go through storage otherwise, and the endpoint’s word on keys wins', async () => {
    const { server, artifacts, env } = await serve(
      (_seen, response) =>
        void response
          .writeHead(202, {
            'x-amzn-sagemaker-outputlocation': 's3://bucket/other/out.json',
            'x-amzn-sagemaker-failurelocation': 's3://elsewhere/fail.txt',
          })
          .end('{"InferenceId":"i-1"}'),
    );
    const request = requestOf({ messages: [{ role: 'user', content: 'x'.repeat(128_000) }] });
    expect(await submitAsync(callOf(model, { request }), env, plan, { inline: true })).toMatchObject({
      inferenceId: 'i-1',
      outputKey: 'other/out.json',
      failureKey: 'fail.txt',
      failureBucket: 'elsewhere',
    });
    expect(server.seen[0]!.headers['x-amzn-sagemaker-inputlocation']).toBe(`s3://bucket/${plan.inputKey}`);
    expect(server.seen[0]!.body).toHaveLength(0);
    expect(JSON.parse(artifacts.objects.get(plan.inputKey)!.toString())).toHaveProperty('messages');
  });

  it('[model-inference 6] classifies refusals, one HTTP request each', async () => {
    const { server, env } = await serve(
      (_seen, response) =>
        void response.writeHead(400, { 'x-amzn-errortype': 'ThrottlingException' }).end('{}'),
    );
    expect(await errorOf(submitAsync(callOf(model), env, plan))).toMatchObject({
      code: 'THROTTLED',
      billed: 'no',
    });
    expect(server.seen).toHaveLength(1);
  });

  it('are not calls: the provider of such a model says so', async () => {
    expect(await errorOf(providerFor(model, envOf()))).toMatchObject({ code: 'BAD_REQUEST' });
    expect(() => asyncExpiry(modelOf({ name: 'builtin', provider: 'builtin' }), 0)).toThrow(
      /no asynchronous endpoint/,
    );
  });
});

describe('their outputs', () => {
  const read = (objects: Record<string, string>) =>
    readAsyncOutput(model, envOf({}, { artifacts: memoryArtifacts(objects) }), plan);

  it('are pending, completed or failed', async () => {
    expect(await read({})).toEqual({ state: 'pending' });
    expect(await read({ [plan.outputKey]: completion('done') })).toMatchObject({
      state: 'completed',
      reply: { text: 'done' },
    });
    expect(await read({ [plan.outputKey]: '{"cut' })).toMatchObject({
      state: 'failed',
      error: { code: 'BAD_RESPONSE' },
    });
    expect(
      await read({ [plan.failureKey]: 'Received server error (500) from model with message "x"' }),
    ).toMatchObject({
      state: 'failed',
      error: { code: 'UNAVAILABLE' },
    });
    expect(await read({ [plan.outputKey]: completion('late'), [plan.failureKey]: 'x' })).toMatchObject({
      state: 'completed',
    });
  });

  it.each([
    ['Received client error (400) from model', 'BAD_REQUEST'],
    ['Received client error (400): maximum context length is 8', 'CONTEXT_OVERFLOW'],
    ['model answered with status code 429', 'THROTTLED'],
    ['The request expired before it was processed', 'EXPIRED'],
    ['Model invocation timed out', 'TIMEOUT'],
    ['something else', 'UNAVAILABLE'],
  ])('read the failure "%s"', (reason, code) => {
    expect(asyncFailure(reason).code).toBe(code);
  });
});
