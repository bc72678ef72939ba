import {
  InvokeEndpointAsyncCommand,
  InvokeEndpointCommand,
  InvokeEndpointWithResponseStreamCommand,
  SageMakerRuntimeClient,
} from '@aws-sdk/client-sagemaker-runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '#shared/determinism/clock.ts';
import { randomIds } from '#shared/determinism/ids.ts';
import { type Backend, type EndpointFaults, startEndpointServer } from '#local/endpoint-server/index.ts';
import { FaultPlan } from '#local/endpoint-server/faults.ts';
import { embeddedStore } from '#test/contract/embedded.ts';
import { localClient } from '#test/contract/support.ts';

/** The server as the real SDK sees it. */
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const greet: Backend = async (endpoint, body) => ({
  status: 200,
  body: JSON.stringify({ endpoint, said: (JSON.parse(Buffer.from(body).toString()) as { say: string }).say }),
});

async function serve(backend: Backend, faults: EndpointFaults = {}, options: { timeoutMs?: number } = {}) {
  const store = await embeddedStore();
  const server = await startEndpointServer({
    backend,
    endpoints: { model: { faults } },
    async: {
      bucket: store.artifacts,
      completions: store.queue('results'),
      outputBucket: store.bucket,
      clock: systemClock,
      ids: randomIds,
    },
    ...options,
  });
  const client = new SageMakerRuntimeClient({ ...localClient(server.url), maxAttempts: 1 });
  closers.push(async () => {
    client.destroy();
    await server.close();
    await store.remove();
  });
  const invoke = (say = 'hello', endpoint = 'model') =>
    client.send(
      new InvokeEndpointCommand({
        EndpointName: endpoint,
        ContentType: 'application/json',
        Body: JSON.stringify({ say }),
      }),
    );
  const stream = async (say = 'hello'): Promise<string> => {
    const { Body } = await client.send(
      new InvokeEndpointWithResponseStreamCommand({ EndpointName: 'model', Body: JSON.stringify({ say }) }),
    );
    const chunks: Uint8Array[] = [];
    for await (const event of Body!) chunks.push(event.PayloadPart?.Bytes ?? new Uint8Array());
    return Buffer.concat(chunks).toString();
  };
  return { store, server, client, invoke, stream };
}
const textOf = (body: Uint8Array | undefined): string => Buffer.from(body ?? []).toString();

describe('endpoint server', () => {
  it('[embedded-platform 42] the SDK invokes; streamed text equals unstreamed; rate500 is a ModelError', async () => {
    const { invoke, stream, server } = await serve(greet);
    const answer = await invoke('grüße');
    expect(JSON.parse(textOf(answer.Body))).toEqual({ endpoint: 'model', said: 'grüße' });
    expect(answer).toMatchObject({ ContentType: 'application/json', InvokedProductionVariant: 'AllTraffic' });
    expect(await stream('grüße')).toBe(textOf(answer.Body));
    expect(server.calls()).toEqual({ model: 2 });

    const failing = await serve(greet, { rate500: 1 });
    await expect(failing.invoke()).rejects.toMatchObject({ name: 'ModelError', OriginalStatusCode: 500 });
    await expect(failing.stream()).rejects.toMatchObject({ name: 'ModelError' });
  });

  it('streams many chunks, of text cut anywhere', async () => {
    const parts = Array.from({ length: 200 }, (_, n) => `часть ${n} `);
    const { stream } = await serve(async function* () {
      const bytes = Buffer.from(parts.join(''));
      for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
    });
    expect(await stream()).toBe(parts.join(''));
  });

  it('a stream that breaks ends in ModelStreamError after what came', async () => {
    const { client } = await serve(async function* () {
      yield 'first';
      throw new Error('the model broke');
    });
    const { Body } = await client.send(
      new InvokeEndpointWithResponseStreamCommand({ EndpointName: 'model', Body: '{}' }),
    );
    const seen: string[] = [];
    const reading = (async () => {
      for await (const event of Body!) seen.push(textOf(event.PayloadPart?.Bytes));
    })();
    await expect(reading).rejects.toMatchObject({ name: 'ModelStreamError', ErrorCode: 'StreamBroken' });
    expect(seen).toEqual(['first']);
  });

  it('reports throttling, unknown endpoints, the model’s own errors, faults of its own and large bodies', async () => {
    await expect((await serve(greet, { rate429: 1 })).invoke()).rejects.toMatchObject({
      name: 'ThrottlingException',
      $metadata: { httpStatusCode: 400 },
    });
    const { invoke, client } = await serve(async (_, body) => {
      if (textOf(body).includes('throw')) throw new Error('connection refused');
      return { status: 422, body: 'no such template' };
    });
    await expect(invoke('x', 'other')).rejects.toMatchObject({ name: 'ValidationError' });
    await expect(invoke()).rejects.toMatchObject({
      name: 'ModelError',
      OriginalStatusCode: 422,
      OriginalMessage: 'no such template',
      $metadata: { httpStatusCode: 424 },
    });
    await expect(invoke('throw')).rejects.toMatchObject({ name: 'ServiceUnavailable' });
    const large = new InvokeEndpointCommand({
      EndpointName: 'model',
      Body: Buffer.alloc(25 * 1024 * 1024 + 1),
    });
    await expect(client.send(large)).rejects.toMatchObject({ name: 'ValidationError' });
  });

  it('spoils answers, hangs and waits as told', async () => {
    const spoilt = await serve(greet, { rateGarbage: 1, latencyMs: 1 });
    const answer = textOf((await spoilt.invoke()).Body);
    expect(() => JSON.parse(answer) as unknown).toThrow();
    const hanging = await serve(greet, { rateHang: 1 }, { timeoutMs: 50 });
    await expect(hanging.invoke()).rejects.toMatchObject({ name: 'ModelError' });
  });

  it('faults follow their seed', () => {
    const draw = (seed: number) => {
      const plan = new FaultPlan('m', { seed, rate429: 0.3, rate500: 0.3 });
      return Array.from({ length: 50 }, () => plan.next());
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(new Set(draw(1))).toEqual(new Set(['throttle', 'model', undefined]));
    expect(() => new FaultPlan('m', { rate429: 2 })).toThrow('rate429');
  });

  it('asynchronous calls read input, write output and announce it', async () => {
    const { client, store } = await serve(greet);
    await store.artifacts().put('jobs/j/async/in/1.json', JSON.stringify({ say: 'later' }));
    const invoke = (key: string, id: string) =>
      client.send(
        new InvokeEndpointAsyncCommand({
          EndpointName: 'model',
          InputLocation: `s3://${store.bucket}/${key}`,
          InferenceId: id,
          ContentType: 'application/json',
        }),
      );
    const accepted = await invoke('jobs/j/async/in/1.json', 'attempt-1');
    expect(accepted.InferenceId).toBe('attempt-1');
    const [done] = await store.queue('results').receive({ waitSeconds: 20 });
    expect(JSON.parse(done!.body)).toMatchObject({
      invocationStatus: 'Completed',
      inferenceId: 'attempt-1',
      requestParameters: { endpointName: 'model' },
      responseParameters: { outputLocation: accepted.OutputLocation },
    });
    const outputKey = accepted.OutputLocation!.replace(`s3://${store.bucket}/`, '');
    const output = await store.artifacts().get(outputKey);
    let text = '';
    for await (const chunk of output.body) text += textOf(chunk);
    expect(JSON.parse(text)).toEqual({ endpoint: 'model', said: 'later' });

    const lost = await invoke('jobs/j/async/in/none.json', 'attempt-2');
    const [failed] = await store.queue('results').receive({ waitSeconds: 20 });
    expect(JSON.parse(failed!.body)).toMatchObject({
      invocationStatus: 'Failed',
      inferenceId: 'attempt-2',
      responseParameters: { failureLocation: lost.FailureLocation },
    });
    await expect(
      client.send(new InvokeEndpointAsyncCommand({ EndpointName: 'model', InputLocation: 'nowhere' })),
    ).rejects.toMatchObject({ name: 'ValidationError' });
  });

  it('asynchronous calls take small inputs inline, never beside a location', async () => {
    const { server, store } = await serve(greet);
    // The header's name as the wire has it; the body beside it is what the SDK cannot send.
    const post = (body: string, location?: string) =>
      fetch(`${server.url}/endpoints/model/async-invocations`, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'x-amzn-sagemaker-inference-id': 'inline-1',
          ...(location ? { 'x-amzn-sagemaker-inputlocation': location } : {}),
        },
      });
    const accepted = await post(JSON.stringify({ say: 'inline' }));
    expect(accepted.status).toBe(202);
    const [done] = await store.queue('results').receive({ waitSeconds: 20 });
    const told = JSON.parse(done!.body) as { requestParameters: object };
    expect(told).toMatchObject({ invocationStatus: 'Completed', inferenceId: 'inline-1' });
    expect(told.requestParameters).not.toHaveProperty('inputLocation');
    const location = accepted.headers.get('x-amzn-sagemaker-outputlocation')!;
    const output = await store.artifacts().get(location.replace(`s3://${store.bucket}/`, ''));
    let text = '';
    for await (const chunk of output.body) text += textOf(chunk);
    expect(JSON.parse(text)).toEqual({ endpoint: 'model', said: 'inline' });

    for (const [body, where, problem] of [
      ['', undefined, 'InputLocation or a body'],
      ['{}', `s3://${store.bucket}/in.json`, 'not both'],
      ['x'.repeat(128_001), undefined, '128000'],
    ] as const) {
      const refused = await post(body, where);
      expect(refused.status).toBe(400);
      expect(await refused.text()).toContain(problem);
    }
  });
});
