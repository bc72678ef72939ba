import { afterEach, describe, expect, it } from 'vitest';
import {
  ProtocolError,
  startEndpointServer,
  type Backend,
  type EndpointFaults,
} from '#local/endpoint-server/index.ts';
import { closeProviders, providerFor } from '#shared/models/providers/index.ts';
import { allDeltas, callOf, completion, envOf, errorOf, modelOf } from './support.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** The real SDK against the platform's own endpoint server. */
async function serve(backend: Backend, faults: EndpointFaults = {}) {
  const server = await startEndpointServer({ backend, endpoints: { 'am-qwen': { faults } } });
  const env = envOf({ AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: server.url });
  const model = modelOf({
    provider: 'sagemaker',
    codec: 'openai',
    endpoint: { name: 'am-qwen', region: 'eu-west-1' },
  });
  closing.push(
    () => closeProviders(env.runtime),
    () => server.close(),
  );
  return { server, model, env, provider: await providerFor(model, env) };
}

const answers =
  (status: number, body: string): Backend =>
  async () => ({ status, body });

describe('the sagemaker provider against the embedded endpoint server', () => {
  it('is answered, whole and streamed', async () => {
    const { model, provider } = await serve(answers(200, completion('hi')));
    expect((await provider.call(callOf(model))).text).toBe('hi');
    const chunk = (delta: unknown, finish: string | null = null): string =>
      `data: ${JSON.stringify({ choices: [{ delta, finish_reason: finish }] })}\n\n`;
    const streaming = await serve(async function* () {
      yield chunk({ content: 'Hé' });
      yield chunk({ content: '👩‍🔬' });
      yield chunk({}, 'stop');
    } as Backend);
    expect(await allDeltas(streaming.provider.stream!(callOf(streaming.model)))).toEqual([
      { type: 'text', delta: 'Hé' },
      { type: 'text', delta: '👩‍🔬' },
      { type: 'finish', finish: 'stop' },
    ]);
  });

  it.each<[string, Backend, EndpointFaults, string]>([
    ['throttling', answers(200, ''), { rate429: 1 }, 'THROTTLED'],
    ['a model error', answers(200, ''), { rate500: 1 }, 'UNAVAILABLE'],
    ['garbage', answers(200, completion('hi')), { rateGarbage: 1 }, 'BAD_RESPONSE'],
    ['a container’s 429', answers(429, 'slow down'), {}, 'THROTTLED'],
    ['a container’s 400', answers(400, 'no'), {}, 'BAD_REQUEST'],
    ['a long prompt', answers(400, 'maximum context length is 8'), {}, 'CONTEXT_OVERFLOW'],
    [
      'an exception of the service',
      async () => {
        throw new ProtocolError(500, 'InternalFailure', 'x');
      },
      {},
      'UNAVAILABLE',
    ],
  ])('[model-inference 6] %s: its code, one request', async (_name, backend, faults, code) => {
    const { server, model, provider } = await serve(backend, faults);
    expect(await errorOf(provider.call(callOf(model)))).toMatchObject({ code });
    expect(server.calls()).toEqual({ 'am-qwen': 1 });
  });

  it('[model-inference 6] a hanging endpoint is a TIMEOUT, an unknown one NOT_FOUND', async () => {
    const { model, provider, env } = await serve(answers(200, ''), { rateHang: 1 });
    expect(await errorOf(provider.call(callOf(model, { timeoutMs: 500 })))).toMatchObject({
      code: 'TIMEOUT',
      billed: 'unknown',
    });
    const absent = modelOf({
      name: 'absent',
      provider: 'sagemaker',
      codec: 'openai',
      endpoint: { name: 'nobody', region: 'eu-west-1' },
    });
    expect(await errorOf((await providerFor(absent, env)).call(callOf(absent)))).toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});
