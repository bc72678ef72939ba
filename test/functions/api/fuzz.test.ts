import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { depthOf } from '#functions/api/body.ts';
import { createApi } from '#functions/api/create-api.ts';
import { decodeCursor, encodeCursor } from '#functions/api/cursors.ts';
import type { Json } from '#shared/storage/ports.ts';
import { openEnvelope } from '#shared/task/envelope.ts';
import { ProblemError } from '#shared/task/problems.ts';
import { namesSecret, redact, REDACTED } from '#shared/task/redact.ts';
import { checkReferences, inputReferences } from '#shared/task/references.ts';
import { eventClient, jwt, type Client } from '#test/support/api.ts';
import { testCatalog } from '#test/support/catalog.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

let host: TestRuntime;
let send: Client;
beforeAll(async () => {
  host = await embeddedRuntime();
  send = eventClient(createApi({ catalog: testCatalog }), host.runtime);
});
afterAll(() => host.close());

const text = fc.string({ unit: 'binary', maxLength: 60 });
const isProblem = (type: unknown) => typeof type === 'string' && type.startsWith('urn:agentmill:problem:');

describe('hostile requests', () => {
  test('any body is answered, never with our own fault', async () => {
    const body = fc.oneof(
      fc.json(),
      text,
      fc.object().map((value) => JSON.stringify({ workflow: 'word-count', input: value })),
    );
    await fc.assert(
      fc.asyncProperty(
        body,
        fc.constantFrom('/v1/jobs', '/v1/uploads'),
        fc.boolean(),
        async (sent, path, base64) => {
          const answer = await send({
            method: 'POST',
            path,
            body: sent,
            base64,
            headers: { 'content-type': 'application/json' },
          });
          expect(answer.status).toBeGreaterThanOrEqual(400);
          expect(answer.status).toBeLessThan(500);
          expect(isProblem(answer.body.type)).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('any cursor, query and job id is answered, never with our own fault', async () => {
    await fc.assert(
      fc.asyncProperty(text, text, async (one, two) => {
        for (const call of [
          { path: '/v1/jobs', query: { cursor: one } },
          { path: '/v1/jobs', query: { [one]: two } },
          { path: '/v1/jobs', query: { limit: one, since: two } },
          { path: `/v1/jobs/${one}` },
          { path: `/v1/jobs/${encodeURIComponent(one.toWellFormed())}/events` },
          { path: `/v1/workflows/${encodeURIComponent(two.toWellFormed())}` },
        ]) {
          const { status } = await send({ ...call, authorizer: jwt('ann') });
          expect([200, 400, 404, 422]).toContain(status);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('any idempotency key is a job or a refusal', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (key) => {
        const body = { workflow: 'other', input: { sources: [], seeds: ['no'] } };
        const answer = await send({
          method: 'POST',
          path: '/v1/jobs',
          body,
          headers: { 'idempotency-key': key },
        });
        expect(answer.status).toBe(422);
      }),
      { numRuns: 60 },
    );
  });
});

describe('cursors', () => {
  const list = fc.array(fc.oneof(text, fc.constant(null)), { maxLength: 4 });
  test('come back whole from their own list and from no other', () => {
    fc.assert(
      fc.property(list, list, fc.string({ minLength: 1, maxLength: 80 }), (own, other, place) => {
        fc.pre(!place.includes('\0'));
        const cursor = encodeCursor(own, place);
        expect(cursor).toMatch(/^[\w-]+$/);
        expect(decodeCursor(own, cursor)).toBe(place);
        if (JSON.stringify(own) !== JSON.stringify(other))
          expect(() => decodeCursor(other, cursor)).toThrow(ProblemError);
      }),
    );
  });
  test('of any text are refused as such', () => {
    fc.assert(
      fc.property(text, (cursor) => {
        expect(() => decodeCursor(['x'], cursor)).toThrow(ProblemError);
      }),
    );
  });
});

test('depth is what parsing would find', () => {
  const deep = (value: unknown): number =>
    typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(deep)) : 0;
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(depthOf(JSON.stringify(value))).toBe(deep(value));
    }),
  );
  fc.assert(
    fc.property(text, (any) => {
      expect(depthOf(any)).toBeGreaterThanOrEqual(0);
    }),
  );
});

test('any execution input is an envelope of the workflow, refused, or a bare input', () => {
  const event = fc.oneof(
    fc.jsonValue(),
    fc.record({
      job: fc.record({ jobId: text, workflow: text, attempt: fc.integer() }),
      input: fc.jsonValue(),
    }),
  );
  fc.assert(
    fc.property(event, text, (input, name) => {
      try {
        const opened = openEnvelope('word-count', name, input as Json);
        expect(opened.jobId).toMatch(/^word-count\.[a-z2-7]{26}$/);
        if (!opened.enveloped) expect(opened.input).toBe(input);
      } catch (error) {
        expect(error).toMatchObject({ name: 'InvalidInput' });
      }
    }),
  );
});

test("no key outside its owner's reach is let through, however it is spelt", async () => {
  const area = fc.constantFrom('jobs', 'uploads', 'ingest', 'mapruns', 'async', 'cache');
  const key = fc
    .tuple(area, fc.array(fc.oneof(text, fc.constantFrom('..', '.', '', 'ann', 'output')), { maxLength: 4 }))
    .map(([first, rest]) => [first, ...rest].join('/'));
  await fc.assert(
    fc.asyncProperty(key, fc.boolean(), async (given, asUri) => {
      const input = { deep: [{ x: asUri ? `s3://agentmill-local/${given}` : given }] } as Json;
      const references = inputReferences(input, 'agentmill-local');
      const refused = await checkReferences(host.runtime, 'ben', 'word-count', references);
      const own = given.startsWith('uploads/ben/') || given.startsWith('ingest/word-count/');
      if (given.includes('/') && !own) expect(refused).toHaveLength(1);
      if (given.split('/').includes('..')) expect(refused).toHaveLength(1);
    }),
    { numRuns: 300 },
  );
});

describe('redaction', () => {
  test('blanks secrets by name and shape, and keeps counts of tokens', () => {
    for (const name of [
      'apiKey',
      'API_KEY',
      'taskToken',
      'authorization',
      'Set-Cookie',
      'clientSecret',
      'x-amz-signature',
    ]) {
      expect(namesSecret(name), name).toBe(true);
    }
    for (const name of ['tokensIn', 'maxTokens', 'tokens', 'key', 'author', 'jobId'])
      expect(namesSecret(name), name).toBe(false);
    const url = 'https://b/k?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2Fx&X-Amz-Signature=abcdef0123';
    expect(JSON.stringify(redact({ url, note: 'Bearer abcdefgh12345' }))).not.toMatch(/abcdef|AKIA/);
    expect(redact({ password: 'x', nested: [{ token: 'y' }] })).toEqual({
      password: REDACTED,
      nested: [{ token: REDACTED }],
    });
  });
  test('takes anything', () => {
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    fc.assert(fc.property(fc.anything(), (value) => void redact(value)));
    expect(() => JSON.stringify(redact(cyclic))).not.toThrow();
  });
});
