import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createApi } from '#functions/api/create-api.ts';
import { ownerOf } from '#functions/api/caller.ts';
import { newJobId } from '#shared/determinism/ids.ts';
import { storageUnavailable } from '#shared/task/errors.ts';
import { jobControl, type JobControl } from '#shared/task/job-control.ts';
import { iam, eventClient, jwt, type Call, type Client } from '#test/support/api.ts';
import { testCatalog } from '#test/support/catalog.ts';
import { newJob } from '#test/support/jobs.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

let host: TestRuntime;
let send: Client;
let control: JobControl;
const api = createApi({ catalog: testCatalog, version: '1.2.3' });
beforeEach(async () => {
  host = await embeddedRuntime();
  send = eventClient(api, host.runtime);
  control = jobControl(host.runtime, testCatalog);
});
afterEach(() => host.close());

const input = { sources: [] };
const ann = jwt('ann');
const ben = jwt('ben');
const annOwner = ownerOf('https://id.example.com', 'ann');
const post = (body: unknown, more: Partial<Call> = {}) =>
  send({ method: 'POST', path: '/v1/jobs', body, ...more });
const slug = (answer: { body: { type?: string } }) => answer.body.type?.replace('urn:agentmill:problem:', '');

describe('creating', () => {
  test('[infra-api-cli 15] twenty concurrent creates with one key give one job, one execution', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        post({ workflow: 'word-count', input }, { headers: { 'Idempotency-Key': 'k' }, authorizer: ann }),
      ),
    );
    expect(new Set(answers.map(({ body }) => body.jobId as string)).size).toBe(1);
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(19);
    expect(host.workflows.starts).toBe(1);
  });

  test('[infra-api-cli 16] same key: other body 409; same body 200 with the replay header', async () => {
    const body = { workflow: 'word-count', input, budget: { usd: 1 }, idempotencyKey: 'k' };
    const first = await post(body, { authorizer: ann });
    expect(first.status).toBe(202);
    expect(first.headers.location).toBe(`/v1/jobs/${first.body.jobId}`);
    const same = await post({ ...body, input: { sources: [] } }, { authorizer: ann });
    expect([same.status, same.headers['idempotency-replayed'], same.body.jobId]).toEqual([
      200,
      'true',
      first.body.jobId,
    ]);
    const otherBody = await post({ ...body, budget: { usd: 2 } }, { authorizer: ann });
    expect([otherBody.status, slug(otherBody)]).toEqual([409, 'idempotency-conflict']);
    const otherOwner = await post(body, { authorizer: ben });
    expect(otherOwner.status).toBe(202);
    expect(otherOwner.body.jobId).not.toBe(first.body.jobId);
  });

  test('header and body key must agree; a key is printable ASCII', async () => {
    const create = (key: string | undefined, header: string) =>
      post(
        { workflow: 'word-count', input, ...(key === undefined ? {} : { idempotencyKey: key }) },
        { headers: { 'idempotency-key': header } },
      );
    expect((await create('a', 'a')).status).toBe(202);
    for (const answer of [
      await create('a', 'b'),
      await create(undefined, 'ü'),
      await create(undefined, 'x'.repeat(129)),
    ]) {
      expect([answer.status, answer.body.errors[0].pointer]).toEqual([422, '#/idempotencyKey']);
    }
  });

  test('[infra-api-cli 17] a bad field gives 422 with its pointer; 25 give 20', async () => {
    const one = await post({ workflow: 'word-count', input: { sources: [], seeds: ['x'] } });
    expect([one.status, slug(one)]).toEqual([422, 'invalid-input']);
    expect(one.headers['content-type']).toBe('application/problem+json');
    expect(one.body).toMatchObject({
      status: 422,
      instance: 'request-1',
      errors: [{ pointer: '#/input/seeds/0', code: 'invalid-type' }],
    });
    const many = await post({
      workflow: 'word-count',
      input: { sources: [], seeds: Array.from({ length: 25 }, () => 'x') },
    });
    expect(many.body.errors).toHaveLength(20);
    expect(many.body.detail).toContain('25 fields');
    const unknown = await post({ workflow: 'word-count', input, wokflow: 1 });
    expect(unknown.body.errors).toEqual([
      expect.objectContaining({ pointer: '#/wokflow', code: 'unknown-field' }),
    ]);
    expect(host.workflows.starts).toBe(0);
  });

  test('workflow, model, budget and jobs in flight are checked', async () => {
    const cases: [object, number, string][] = [
      [{ workflow: 'nope', input }, 422, 'unknown-workflow'],
      [{ workflow: 'word-count', input, model: 'gpt-nine' }, 422, 'invalid-input'],
      [{ workflow: 'word-count', input, budget: { usd: 5.01 } }, 422, 'budget-above-limit'],
      [{ workflow: 'word-count', input, budget: { usd: -1 } }, 422, 'invalid-input'],
      [{ workflow: 'word-count', input, budget: { microUsd: 1 } }, 422, 'invalid-input'],
    ];
    for (const [body, status, expected] of cases) {
      const answer = await post(body);
      expect([answer.status, slug(answer)]).toEqual([status, expected]);
    }
    const ids: string[] = [];
    for (let index = 0; index < 3; index++) {
      const answer = await post(
        { workflow: 'word-count', input, budget: { usd: 0.1, tokens: 5 } },
        { authorizer: ann },
      );
      expect(answer.body.budget).toEqual({ microUsd: 100_000, tokens: 5 });
      ids.push(answer.body.jobId);
    }
    const refused = await post({ workflow: 'word-count', input }, { authorizer: ann });
    expect([refused.status, slug(refused), refused.headers['retry-after']]).toEqual([
      429,
      'too-many-jobs',
      '30',
    ]);
    expect((await post({ workflow: 'word-count', input }, { authorizer: ben })).status).toBe(202);
    await control.store.setStatus(ids[0]!, { status: 'FAILED' });
    expect((await post({ workflow: 'word-count', input }, { authorizer: ann })).status).toBe(202);
  });

  test('[infra-api-cli 18] killed between record and start, a retry leads to a running job', async () => {
    const { start } = host.workflows;
    host.workflows.start = async () => {
      throw storageUnavailable('down');
    };
    const body = { workflow: 'word-count', input, idempotencyKey: 'k' };
    const first = await post(body);
    expect([first.status, slug(first), first.headers['retry-after']]).toEqual([503, 'unavailable', '5']);
    host.workflows.start = start;
    const retried = await post(body);
    expect([retried.status, retried.headers['idempotency-replayed']]).toEqual([200, 'true']);
    expect(host.workflows.executions.get(retried.body.executionId)).toMatchObject({
      status: 'RUNNING',
      name: `${retried.body.jobId}.1`,
      input: { job: { jobId: retried.body.jobId, workflow: 'word-count', attempt: 1 }, input },
    });
  });
});

describe('bodies', () => {
  test('that are no JSON, too large, too deep, of another type or missing are refused', async () => {
    const json = { 'content-type': 'application/json' };
    const deep = (levels: number) =>
      `{"workflow":"word-count","input":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    const cases: [Partial<Call>, number, string][] = [
      [{ body: '{', headers: json }, 400, 'malformed-json'],
      [{ body: '', headers: json }, 400, 'malformed-json'],
      [{ headers: json }, 400, 'malformed-json'],
      [{ body: deep(32), headers: json }, 400, 'malformed-json'],
      [{ body: '['.repeat(200_000), headers: json }, 400, 'malformed-json'],
      [{ body: '{"__proto__":{"a":1}}', headers: json }, 400, 'malformed-json'],
      [{ body: '{}', headers: { 'content-type': 'text/plain' } }, 415, 'unsupported-media-type'],
      [{ body: '{}' }, 415, 'unsupported-media-type'],
      [{ body: `"${'x'.repeat(262_143)}"`, headers: json }, 413, 'payload-too-large'],
      [{ body: '[]', headers: json }, 422, 'invalid-input'],
      [{ body: deep(31), headers: json }, 422, 'invalid-input'],
    ];
    for (const [call, status, expected] of cases) {
      const answer = await send({ method: 'POST', path: '/v1/jobs', ...call });
      expect([answer.status, slug(answer), call.body?.toString().slice(0, 40)]).toEqual([
        status,
        expected,
        call.body?.toString().slice(0, 40),
      ]);
    }
    const encoded = await post({ workflow: 'word-count', input }, { base64: true });
    expect(encoded.status).toBe(202);
  });
});

describe('owners', () => {
  test("[infra-api-cli 19] another owner's job, cursor, upload or output is 404 or refused", async () => {
    const { jobId } = (await post({ workflow: 'word-count', input }, { authorizer: ann })).body;
    for (const [method, path] of [
      ['GET', `/v1/jobs/${jobId}`],
      ['GET', `/v1/jobs/${jobId}/events`],
      ['GET', `/v1/jobs/${jobId}/outputs`],
      ['POST', `/v1/jobs/${jobId}/cancel`],
      ['POST', `/v1/jobs/${jobId}/resume`],
    ] as const) {
      const theirs = await send({ method, path, authorizer: ben });
      const none = await send({ method, path: path.replace(jobId, newJobId('word-count')), authorizer: ben });
      expect([theirs.status, slug(theirs)]).toEqual([404, 'not-found']);
      expect(theirs.body).toEqual(none.body);
    }
    await post({ workflow: 'word-count', input }, { authorizer: ann });
    const page = await send({ path: '/v1/jobs', query: { limit: '1' }, authorizer: ann });
    const stolen = await send({
      path: '/v1/jobs',
      query: { limit: '1', cursor: page.body.nextCursor },
      authorizer: ben,
    });
    expect([stolen.status, slug(stolen)]).toEqual([400, 'bad-cursor']);
    expect((await send({ path: '/v1/jobs', authorizer: ben })).body.items).toEqual([]);

    const upload = {
      workflow: 'word-count',
      filename: 'a b.txt',
      bytes: 3,
      sha256: 'a'.repeat(64),
      contentType: 'text/plain',
    };
    const { ref } = (await send({ method: 'POST', path: '/v1/uploads', body: upload, authorizer: ann })).body;
    expect(ref.key).toMatch(new RegExp(`^uploads/${annOwner}/[^/]+/a b.txt$`));
    const uses = (uri: string, authorizer = ben) =>
      post({ workflow: 'word-count', input: { sources: [{ uri }] } }, { authorizer });
    for (const uri of [
      ref.key,
      `s3://agentmill-local/${ref.key}`,
      'uploads/',
      `uploads/${ownerOf('https://id.example.com', 'ben')}/../${annOwner}/x`,
      `jobs/${jobId}/output/data.jsonl`,
      `jobs/${jobId}/input.json`,
      `jobs/${newJobId('word-count')}/output/data.jsonl`,
      'ingest/other/x.txt',
      'cache/ab/x.json',
    ]) {
      const answer = await uses(uri);
      expect([uri, answer.status, answer.body.errors?.[0].pointer]).toEqual([
        uri,
        422,
        '#/input/sources/0/uri',
      ]);
    }
    expect((await uses(ref.key, ann)).status).toBe(202);
  });

  test('come from the token, or from account and role; sessions of a role share jobs', async () => {
    const create = async (authorizer: unknown) =>
      (await post({ workflow: 'word-count', input }, { authorizer })).body.owner;
    expect(await create(iam('111111111111', 'AROAX:one'))).toBe(
      await create(iam('111111111111', 'AROAX:two')),
    );
    expect(await create(iam('222222222222', 'AROAX:one'))).not.toBe(
      await create(iam('111111111111', 'AROAX:one')),
    );
    expect(await create(jwt('ann'))).not.toBe(
      await create(jwt('ann', undefined, 'https://other.example.com')),
    );
    expect(await create(undefined)).toBe('local');
  });

  test('without an identity on AWS, or without the scope, are refused; admins see all', async () => {
    const aws = eventClient(api, { ...host.runtime, kind: 'aws', env: { AGENTMILL_ADMINS: 'AROAADMIN' } });
    for (const authorizer of [
      undefined,
      { jwt: { claims: {} } },
      { iam: { accountId: '1' } },
      jwt('ann', ['jobs:write']),
    ]) {
      const answer = await aws({ path: '/v1/jobs', authorizer });
      expect([answer.status, slug(answer)]).toEqual([403, 'forbidden']);
    }
    expect((await aws({ path: '/v1/health' })).body).toEqual({ status: 'ok', version: '1.2.3' });
    const { jobId } = (await post({ workflow: 'word-count', input }, { authorizer: ann })).body;
    for (const authorizer of [jwt('root', ['jobs:read', 'jobs:admin']), iam('1', 'AROAADMIN:me')]) {
      expect((await aws({ path: `/v1/jobs/${jobId}`, authorizer })).status).toBe(200);
      expect((await aws({ path: '/v1/jobs', authorizer })).body.items).toHaveLength(1);
    }
  });
});

describe('reading', () => {
  test('[infra-api-cli 20] paging 250 jobs over HTTP while jobs are added returns each once', async () => {
    const before = new Set<string>();
    for (let index = 0; index < 250; index++) {
      const createdAt = new Date(Date.UTC(2026, 0, 1, 0, 0, index % 50)).toISOString();
      before.add(
        (await control.store.create(newJob(newJobId('other'), { owner: annOwner, createdAt }))).job.jobId,
      );
    }
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const query = { limit: '30', ...(cursor === undefined ? {} : { cursor }) };
      const page = await send({ path: '/v1/jobs', query, authorizer: ann });
      seen.push(...page.body.items.map(({ jobId }: { jobId: string }) => jobId));
      cursor = page.body.nextCursor;
      await post({ workflow: 'other', input }, { authorizer: ann });
    } while (cursor !== undefined);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((jobId) => before.has(jobId)).sort()).toEqual([...before].sort());
  });

  test('a job has an ETag and says when to look again', async () => {
    const { jobId } = (await post({ workflow: 'word-count', input })).body;
    const path = `/v1/jobs/${jobId}`;
    const first = await send({ path });
    expect(first.headers['retry-after']).toBe('2');
    const unchanged = await send({ path, headers: { 'If-None-Match': `"x", W/${first.headers.etag}` } });
    expect([unchanged.status, unchanged.body]).toEqual([304, undefined]);
    await control.store.setStatus(jobId, { status: 'SUCCEEDED' });
    const ended = await send({ path, headers: { 'If-None-Match': first.headers.etag! } });
    expect([ended.status, ended.body.status, ended.headers['retry-after']]).toEqual([
      200,
      'SUCCEEDED',
      undefined,
    ]);
  });

  test('events can be followed from the last cursor', async () => {
    const { jobId } = (await post({ workflow: 'word-count', input })).body;
    await control.store.event(jobId, { level: 'info', message: 'one' });
    const path = `/v1/jobs/${jobId}/events`;
    const first = await send({ path });
    expect(first.body.items.map(({ message }: { message: string }) => message)).toEqual(['one']);
    const cursor = first.body.nextCursor;
    expect((await send({ path, query: { cursor } })).body).toEqual({ items: [] });
    await control.store.event(jobId, { level: 'warn', message: 'two' });
    expect((await send({ path, query: { cursor } })).body.items).toMatchObject([{ message: 'two' }]);
    const { jobId: elsewhere } = (await post({ workflow: 'word-count', input })).body;
    expect((await send({ path: `/v1/jobs/${elsewhere}/events`, query: { cursor } })).status).toBe(400);
  });

  test('outputs are the manifest and each file with an address', async () => {
    const { jobId } = (await post({ workflow: 'word-count', input })).body;
    const path = `/v1/jobs/${jobId}/outputs`;
    expect((await send({ path })).body).toEqual({ jobId, status: 'QUEUED', complete: false, items: [] });
    const { artifacts } = host.runtime;
    const { sha256 } = await artifacts.put(`jobs/${jobId}/output/data/part-0.jsonl`, '{}\n');
    await artifacts.put(`jobs/${jobId}/output/manifest.json`, '{"content":{"counts":{"words":1}},"run":{}}');
    await artifacts.put(`jobs/${jobId}/output/_SUCCESS`, '');
    await artifacts.put(`jobs/${jobId}/work/x.jsonl`, '');
    const { body } = await send({ path });
    expect(body).toMatchObject({ complete: true, manifest: { content: { counts: { words: 1 } } } });
    expect(body.items.map(({ key }: { key: string }) => key.replace(`jobs/${jobId}/`, ''))).toEqual([
      'output/data/part-0.jsonl',
      'output/manifest.json',
    ]);
    expect(body.items[0]).toMatchObject({ bytes: 3, sha256, url: expect.any(String) });
    const page = await send({ path, query: { limit: '2' } });
    const rest = await send({ path, query: { limit: '2', cursor: page.body.nextCursor } });
    const keys = [...page.body.items, ...rest.body.items].map(({ key }: { key: string }) => key);
    expect(keys).toEqual(body.items.map(({ key }: { key: string }) => key));
  });

  test('workflows are listed, and shown with JSON Schema, examples and limits', async () => {
    const list = (await send({ path: '/v1/workflows' })).body;
    expect(list.items.map(({ name }: { name: string }) => name)).toEqual(['word-count', 'other']);
    const { body } = await send({ path: '/v1/workflows/word-count' });
    expect(body.input).toMatchObject({ type: 'object', required: ['sources'], additionalProperties: false });
    expect(body).toMatchObject({
      limits: { maxBudgetMicroUsd: 5_000_000, jobs: 3 },
      triggers: { s3: { suffix: ['.txt', '.jsonl'] } },
    });
    expect((await send({ path: '/v1/workflows/nope' })).status).toBe(404);
  });

  test('uploads are presigned, and refused above the limit', async () => {
    const body = {
      workflow: 'word-count',
      filename: 'a.txt',
      bytes: 10_000,
      sha256: 'a'.repeat(64),
      contentType: 'text/plain',
    };
    const upload = (patch: object) =>
      send({ method: 'POST', path: '/v1/uploads', body: { ...body, ...patch } });
    const made = await upload({});
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ method: 'PUT', ref: { bytes: 10_000, sha256: body.sha256 } });
    expect(Date.parse(made.body.expiresAt)).toBeGreaterThan(Date.now());
    expect([(await upload({ bytes: 10_001 })).status, (await upload({ workflow: 'nope' })).status]).toEqual([
      413, 422,
    ]);
    for (const filename of ['../x', '..', 'a/b', 'a\\b', 'a\u0000', '']) {
      expect((await upload({ filename })).body.errors[0].pointer).toBe('#/filename');
    }
  });
});

describe('changing', () => {
  test('cancel asks, then stops; an ended job is not cancellable', async () => {
    const { jobId, executionId } = (await post({ workflow: 'word-count', input })).body;
    const path = `/v1/jobs/${jobId}/cancel`;
    expect((await send({ method: 'POST', path, body: {} })).status).toBe(202);
    expect(await control.store.cancelRequested(jobId)).toBe(true);
    expect((await send({ method: 'POST', path })).body.status).toBe('QUEUED');
    await host.runtime.records.update(
      { pk: `JOB#${jobId}`, sk: 'META' },
      { set: { cancelRequestedAt: new Date(Date.now() - 10_000).toISOString() } },
    );
    expect((await send({ method: 'POST', path })).body.status).toBe('CANCELLED');
    expect(host.workflows.executions.get(executionId)!.status).toBe('ABORTED');
    const again = await send({ method: 'POST', path });
    expect([again.status, slug(again)]).toEqual([409, 'not-cancellable']);
  });

  test('resume redrives what broke off, and starts an attempt of what finished; budgets only grow', async () => {
    const resume = (jobId: string, body?: object) =>
      send({ method: 'POST', path: `/v1/jobs/${jobId}/resume`, ...(body ? { body } : {}) });
    const { jobId, executionId } = (await post({ workflow: 'word-count', input, budget: { usd: 1 } })).body;
    expect(slug(await resume(jobId))).toBe('not-resumable');
    await control.forceCancel(await control.store.require(jobId));
    expect((await resume(jobId)).body).toMatchObject({ status: 'RUNNING', attempt: 1, executionId });
    expect(host.workflows.executions.get(executionId)).toMatchObject({ status: 'RUNNING', redriveCount: 1 });

    await control.store.setStatus(jobId, { status: 'BUDGET_EXHAUSTED', closedBy: 'finish' });
    host.workflows.finish(executionId, { status: 'SUCCEEDED' });
    expect(slug(await resume(jobId))).toBe('not-resumable');
    expect(slug(await resume(jobId, { budget: { usd: 9 } }))).toBe('budget-above-limit');
    const raised = await resume(jobId, { budget: { usd: 3 } });
    expect(raised.body).toMatchObject({ status: 'QUEUED', attempt: 2, budget: { microUsd: 3_000_000 } });
    expect(host.workflows.executions.get(raised.body.executionId)!.name).toBe(`${jobId}.2`);
    await control.store.setStatus(jobId, { status: 'SUCCEEDED', closedBy: 'finish' });
    expect((await resume(jobId)).status).toBe(409);
  });

  test('an execution too old or otherwise not redrivable gets a new attempt', async () => {
    const { jobId } = (await post({ workflow: 'word-count', input })).body;
    await control.forceCancel(await control.store.require(jobId));
    host.workflows.redrive = async () => {
      throw Object.assign(new Error('ExecutionNotRedrivable'), { name: 'ExecutionNotRedrivable' });
    };
    const answer = await send({ method: 'POST', path: `/v1/jobs/${jobId}/resume` });
    expect(answer.body).toMatchObject({ status: 'QUEUED', attempt: 2 });
  });
});

test('every answer is guarded and names its request; unknown routes are problems', async () => {
  for (const call of [
    { path: '/v1/health' },
    { path: '/v1/nope' },
    { method: 'PUT', path: '/v1/jobs' },
    { path: '/v1/jobs/%E0%A4%A' },
  ]) {
    const { headers, status } = await send(call);
    expect(headers).toMatchObject({
      'x-request-id': 'request-1',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    expect(headers['strict-transport-security']).toContain('max-age');
    expect(status).toBe(call.path === '/v1/health' ? 200 : 404);
  }
});

test('our own faults say nothing to clients and everything to the log', async () => {
  host.workflows.start = async () => {
    throw new TypeError('planted reason');
  };
  const answer = await post({ workflow: 'word-count', input });
  expect([answer.status, slug(answer)]).toEqual([500, 'internal']);
  expect(JSON.stringify(answer)).not.toContain('planted');
  expect(JSON.stringify(host.logs)).toContain('planted reason');
});

test('a planted secret appears in no log line', async () => {
  await post(
    { workflow: 'word-count', input },
    { headers: { Authorization: 'Bearer planted-secret-123456' } },
  );
  await send({
    method: 'POST',
    path: '/v1/uploads',
    body: {
      workflow: 'word-count',
      filename: 'a',
      bytes: 1,
      sha256: 'a'.repeat(64),
      contentType: 'text/plain',
    },
  });
  expect(JSON.stringify(host.logs)).not.toMatch(/planted-secret|signature=/i);
});
