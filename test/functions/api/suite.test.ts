import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApi } from '#functions/api/create-api.ts';
import { routes } from '#functions/api/routes.ts';
import { startGateway, type Gateway } from '#local/gateway/index.ts';
import { newJobId } from '#shared/determinism/ids.ts';
import { jobControl } from '#shared/task/job-control.ts';
import { withRuntime } from '#shared/task/runtime.ts';
import { eventClient, httpClient, jwt, type Client } from '#test/support/api.ts';
import { testCatalog } from '#test/support/catalog.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

/** One suite against events as API Gateway makes them, and over HTTP through the embedded gateway. */

interface Front {
  send: Client;
  close(): Promise<void>;
}
const api = createApi({ catalog: testCatalog });
const fronts: [string, (host: TestRuntime) => Promise<Front>][] = [
  [
    'API Gateway events',
    async (host) => {
      const send = eventClient(api, host.runtime);
      // The gateway's authoriser names the caller.
      return { send: (call) => send({ authorizer: jwt('ann'), ...call }), close: async () => {} };
    },
  ],
  [
    'the embedded gateway',
    async (host) => {
      const gateway: Gateway = await startGateway({
        port: 0,
        routes: routes.map(({ method, path }) => ({ method, path })),
        handler: (event) => withRuntime(host.runtime, () => api(event)),
      });
      return { send: httpClient(gateway.url), close: () => gateway.close() };
    },
  ],
];

describe.each(fronts)('[infra-api-cli 14] over %s', (_, open) => {
  let host: TestRuntime;
  let front: Front;
  let send: Client;
  beforeAll(async () => {
    host = await embeddedRuntime();
    front = await open(host);
    send = front.send;
  });
  afterAll(async () => {
    await front.close();
    await host.close();
  });
  const post = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
    send({ method: 'POST', path, ...(body === undefined ? {} : { body }), headers });
  const body = { workflow: 'word-count', input: { sources: [], language: 'né' }, budget: { usd: 0.25 } };

  test('health, document and catalog', async () => {
    expect((await send({ path: '/v1/health' })).body).toMatchObject({ status: 'ok' });
    expect((await send({ path: '/v1/openapi.json' })).body.openapi).toBe('3.1.1');
    expect((await send({ path: '/v1/workflows' })).body.items).toHaveLength(2);
    expect((await send({ path: '/v1/workflows/word-count' })).body.name).toBe('word-count');
  });

  test('a job from its creation to its cancelled end and on', async () => {
    const created = await post('/v1/jobs', body, { 'Idempotency-Key': 'one' });
    expect(created.status).toBe(202);
    const { jobId, executionId } = created.body;
    expect(created.headers.location).toBe(`/v1/jobs/${jobId}`);
    const replayed = await post('/v1/jobs', body, { 'idempotency-key': 'one' });
    expect([replayed.status, replayed.headers['idempotency-replayed'], replayed.body.jobId]).toEqual([
      200,
      'true',
      jobId,
    ]);
    expect((await post('/v1/jobs', { ...body, model: 'builtin' }, { 'idempotency-key': 'one' })).status).toBe(
      409,
    );

    const shown = await send({ path: `/v1/jobs/${jobId}` });
    expect(shown.body).toMatchObject({
      jobId,
      status: 'QUEUED',
      input: { language: 'né' },
      budget: { microUsd: 250_000 },
    });
    const unchanged = await send({
      path: `/v1/jobs/${jobId}`,
      headers: { 'if-none-match': shown.headers.etag! },
    });
    expect([unchanged.status, unchanged.body]).toEqual([304, undefined]);

    expect((await post(`/v1/jobs/${jobId}/resume`)).status).toBe(409);
    expect((await post(`/v1/jobs/${jobId}/cancel`)).status).toBe(202);
    host.workflows.finish(executionId, { status: 'ABORTED' });
    const control = jobControl(host.runtime, testCatalog);
    await control.closeEnded(await control.store.require(jobId), await host.workflows.describe(executionId));
    expect((await post(`/v1/jobs/${jobId}/cancel`, {})).status).toBe(409);
    expect((await post(`/v1/jobs/${jobId}/resume`, { budget: { usd: 1 } })).body).toMatchObject({
      status: 'RUNNING',
      budget: { microUsd: 1_000_000 },
    });
    expect((await send({ path: `/v1/jobs/${jobId}/events` })).body.items.length).toBeGreaterThan(1);
    expect((await send({ path: `/v1/jobs/${jobId}/outputs` })).body.items).toEqual([]);
  });

  test('pages', async () => {
    const seen: string[] = [];
    for (let index = 0; index < 5; index++) await post('/v1/jobs', { ...body, workflow: 'other' });
    let cursor: string | undefined;
    do {
      const query = { workflow: 'other', limit: '2', ...(cursor === undefined ? {} : { cursor }) };
      const page = await send({ path: '/v1/jobs', query });
      expect(page.status).toBe(200);
      seen.push(...page.body.items.map(({ jobId }: { jobId: string }) => jobId));
      cursor = page.body.nextCursor;
    } while (cursor !== undefined);
    expect(new Set(seen).size).toBe(5);
    expect((await send({ path: '/v1/jobs', query: { cursor: 'nonsense' } })).status).toBe(400);
    expect((await send({ path: '/v1/jobs', query: { limit: '101' } })).body.errors[0].pointer).toBe(
      '#/query/limit',
    );
  });

  test('uploads', async () => {
    const file = {
      workflow: 'word-count',
      filename: 'naïve name.txt',
      bytes: 3,
      sha256: 'a'.repeat(64),
      contentType: 'text/plain',
    };
    const made = await post('/v1/uploads', file);
    expect(made.status).toBe(201);
    expect(made.body.ref.key).toMatch(/^uploads\/[^/]+\/[^/]+\/naïve name\.txt$/);
    expect((await post('/v1/uploads', { ...file, bytes: 0 })).body.errors[0].pointer).toBe('#/bytes');
  });

  test('an upload with a key is the same upload again; another file under it is a conflict', async () => {
    const file = {
      workflow: 'word-count',
      filename: 'same.txt',
      bytes: 3,
      sha256: 'a'.repeat(64),
      contentType: 'text/plain',
    };
    const keyed = (patch: object = {}, key = 'upload 1') =>
      post('/v1/uploads', { ...file, ...patch }, { 'idempotency-key': key });
    const [first, again, inBody] = [
      await keyed(),
      await keyed(),
      await post('/v1/uploads', { ...file, idempotencyKey: 'upload 1' }),
    ];
    expect([first.status, again.status, inBody.status]).toEqual([201, 201, 201]);
    expect([again.body.ref, inBody.body.ref]).toEqual([first.body.ref, first.body.ref]);
    expect(again.body.uploadId).toBe(first.body.uploadId);
    // Files may join it as they join any upload, and another key leads elsewhere.
    const joined = await post('/v1/uploads', { ...file, filename: 'b.txt', uploadId: first.body.uploadId });
    expect(joined.body.ref.key).toBe(first.body.ref.key.replace('same.txt', 'b.txt'));
    expect((await keyed({}, 'upload 2')).body.uploadId).not.toBe(first.body.uploadId);
    for (const patch of [{ sha256: 'b'.repeat(64) }, { filename: 'c.txt' }, { bytes: 4 }]) {
      const refused = await keyed(patch);
      expect([refused.status, refused.body.type]).toEqual([
        409,
        'urn:agentmill:problem:idempotency-conflict',
      ]);
    }
    const both = await keyed({ uploadId: first.body.uploadId });
    expect([both.status, both.body.errors[0].pointer]).toEqual([422, '#/idempotencyKey']);
    const disagree = await keyed({ idempotencyKey: 'other' });
    expect(disagree.body.errors[0]).toMatchObject({ pointer: '#/idempotencyKey', code: 'mismatch' });
  });

  test('problems', async () => {
    const json = { 'content-type': 'application/json' };
    const answers = [
      await post('/v1/jobs', '{', json),
      await post('/v1/jobs', '{}', { 'content-type': 'text/plain' }),
      await post('/v1/jobs', `"${'x'.repeat(262_144)}"`, json),
      await post('/v1/jobs', { ...body, workflow: 'nope' }),
      await post('/v1/jobs', { ...body, input: { sources: 1 } }),
      await send({ path: `/v1/jobs/${newJobId('word-count')}` }),
      await send({ path: '/v1/workflows/nope' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([400, 415, 413, 422, 422, 404, 404]);
    for (const { headers, body: document } of answers) {
      expect(headers['content-type']).toBe('application/problem+json');
      expect(document.instance).toBe(headers['x-request-id']);
      expect(headers['cache-control']).toBe('no-store');
      expect(headers['x-content-type-options']).toBe('nosniff');
    }
  });

  test('what is no route is 404, from the gateway or from us', async () => {
    const answer = await send({ path: '/v1/nope' });
    expect(answer.status).toBe(404);
    expect(answer.body.message ?? answer.body.title).toMatch(/^Not [Ff]ound$/);
  });
});
