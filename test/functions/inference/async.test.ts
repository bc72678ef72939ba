import { createServer, type Server } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { attemptIdOf, batchIdOf, callKey, callOf, callRecord } from '#shared/models/batch/async/records.ts';
import { readTraces } from '#shared/models/batch/traces.ts';
import { budgetOf, openBudget } from '#shared/models/budget.ts';
import { reconcile } from '#shared/models/ledger.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Json, Workflows } from '#shared/storage/ports.ts';
import { withRuntime } from '#shared/task/runtime.ts';
import { handler as infer } from '#functions/inference/infer.ts';
import { readNotification } from '#functions/inference/notification.ts';
import { handler as onResult } from '#functions/inference/on-result.ts';
import { handler as sweep } from '#functions/inference/sweep.ts';
import { embeddedRuntime, manualClock, type TestRuntime } from '#test/support/runtime.ts';

const JOB = 'test-workflow.aaaaaaaaaaaaaaaaaaaaaaaaaa';
const PREFIX = `jobs/${JOB}/work/0`;
const TTL_MS = (60 + 60) * 1000 + 300_000;

let world: TestRuntime;
let server: Server;
let dir: string;
let submitted: string[];
let sent: Json[];
let beats: number;
let requests: ArtifactRef;
const clock = manualClock();

beforeEach(async () => {
  submitted = [];
  sent = [];
  beats = 0;
  server = createServer((req, res) => {
    submitted.push(String(req.headers['x-amzn-sagemaker-inference-id']));
    req.resume().on('end', () => res.writeHead(202, { 'content-type': 'application/json' }).end('{}'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  dir = await mkdtemp(join(tmpdir(), 'agentmill-async-'));
  const models = join(dir, 'models.json');
  await writeFile(
    models,
    JSON.stringify({
      models: [
        {
          name: 'big',
          provider: 'sagemaker-async',
          endpoint: { name: 'am-big', region: 'eu-west-1' },
          codec: 'openai',
          contextTokens: 8192,
          maxOutputTokens: 100,
          price: [{ from: '2020-01-01', inputPerMTok: 1, outputPerMTok: 1 }],
          limits: { rpm: 6000, tpm: 6000000, concurrency: 8 },
          async: { ttlSeconds: 60, invocationTimeoutSeconds: 60 },
        },
      ],
    }),
  );
  const workflows = {
    sendTaskSuccess: async (_token: string, output: Json) => void sent.push(output),
    sendTaskFailure: async (_token: string, failure: Json) => void sent.push(failure),
    sendTaskHeartbeat: async () => void beats++,
  } as unknown as Workflows;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  world = await embeddedRuntime({
    clock,
    workflows,
    env: { AGENTMILL_MODELS: models, AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: url },
  });
  await openBudget(world.runtime, JOB, { microUsd: 1_000_000 });
  requests = await writeJsonl(
    world.runtime.artifacts,
    `jobs/${JOB}/work/requests.jsonl`,
    ['a', 'b'].map((id) => ({
      id,
      role: { name: 'test/role', version: '1' },
      model: 'big',
      messages: [{ role: 'user', content: `Say ${id}` }],
    })),
  );
});
afterEach(async () => {
  await world.close();
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true, force: true });
});

const inside = <T>(body: () => Promise<T>): Promise<T> => withRuntime(world.runtime, body);
const start = (more: { prefix?: string; cacheScope?: 'job' } = {}) =>
  inside(() =>
    infer(
      {
        jobId: JOB,
        workflow: 'test-workflow',
        stage: 'work',
        requests,
        prefix: PREFIX,
        mode: 'token',
        taskToken: 'T',
        ...more,
      },
      {},
    ),
  );
const idOf = (line: number, ordinal = 0): string =>
  attemptIdOf(batchIdOf({ jobId: JOB, prefix: PREFIX, requests }), line, ordinal);
const stored = async (attemptId: string) => callOf((await world.runtime.records.get(callKey(attemptId)))!);
async function answer(attemptId: string, text: string): Promise<string> {
  const { outputKey } = await stored(attemptId);
  const body = {
    choices: [{ message: { content: text }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 10, completion_tokens: 5 },
  };
  await world.runtime.artifacts.put(outputKey, JSON.stringify(body));
  return outputKey;
}
const deliver = (body: unknown) =>
  inside(() => onResult({ Records: [{ messageId: '1', body: JSON.stringify(body) }] }));

describe('asynchronous endpoints', () => {
  it('[model-inference 9] a lost notification is completed within 3 virtual minutes, and three copies settle once', async () => {
    expect(await start()).toEqual({ token: 'waiting' });
    expect(submitted.sort()).toEqual([idOf(0), idOf(1)].sort());
    await answer(idOf(0), 'A');
    const key = await answer(idOf(1), 'B');
    const copies = [
      { inferenceId: idOf(1), invocationStatus: 'Completed' },
      {
        Type: 'Notification',
        Message: JSON.stringify({ inferenceId: idOf(1), invocationStatus: 'Completed' }),
      },
      { 'detail-type': 'Object Created', detail: { object: { key } } },
    ];
    for (const copy of copies) expect(await deliver(copy)).toEqual({ batchItemFailures: [] });
    expect(sent).toEqual([]);
    for (let minute = 0; minute < 3 && sent.length === 0; minute++) {
      clock.advance(60_000);
      await inside(sweep);
    }
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ done: true, costMicros: 30, counts: { total: 2, ok: 2 } });
    expect([...(await readTraces(world.runtime.artifacts, PREFIX))]).toMatchObject([
      ['a', { attempts: 1, cached: false, costMicros: 15, attemptIds: [idOf(0)] }],
      ['b', { attempts: 1, cached: false, costMicros: 15, attemptIds: [idOf(1)] }],
    ]);
    for (const copy of copies) await deliver(copy);
    await inside(sweep);
    expect(sent).toHaveLength(1);
    expect(await reconcile(world.runtime, JOB)).toMatchObject({ calls: 2, microUsd: 30 });
    expect(await budgetOf(world.runtime, JOB)).toMatchObject({
      spent: { micros: 30 },
      remaining: { micros: 999_970 },
      leases: 0,
    });
  });

  it('[model-inference 10] killed between submission and record, nothing is submitted again', async () => {
    await start();
    // As the record stood when the process died after the request had left.
    await world.runtime.records.put(callRecord({ ...(await stored(idOf(0))), state: 'SUBMITTING' }));
    submitted.length = 0;
    await start();
    expect(submitted).toEqual([]);
    await answer(idOf(0), 'A');
    await answer(idOf(1), 'B');
    clock.advance(121_000);
    await inside(sweep);
    expect(sent).toHaveLength(1);
  });

  it('[model-inference 11] an expired call is submitted once more, then EXPIRED; late output is still cached', async () => {
    await start();
    await answer(idOf(1), 'B');
    await deliver({ inferenceId: idOf(1), invocationStatus: 'Completed' });
    for (let minute = 0; minute < 2 * (TTL_MS / 60_000) + 20 && sent.length === 0; minute++) {
      clock.advance(60_000);
      await inside(sweep);
    }
    expect(submitted.filter((id) => id === idOf(0) || id === idOf(0, 1))).toHaveLength(2);
    expect(sent[0]).toMatchObject({ counts: { ok: 1, failed: 1 } });
    expect(beats).toBeGreaterThan(0);
    await answer(idOf(0), 'late');
    await deliver({ inferenceId: idOf(0), invocationStatus: 'Completed' });
    const cached = await world.runtime.records.get({
      pk: `CACHE#${(await stored(idOf(0))).row.cacheKey}`,
      sk: 'RESULT',
    });
    expect(cached?.attributes.entry).toMatchObject({ answer: { text: 'late' } });
    expect(sent).toHaveLength(1);
  });
});

describe('answers that are known already', () => {
  const finish = async (): Promise<void> => {
    for (const [line, text] of ['A', 'B'].entries()) {
      await answer(idOf(line), text);
      await deliver({ inferenceId: idOf(line), invocationStatus: 'Completed' });
    }
  };

  it('are no submissions: a free row each in the ledger, however often the batch is started', async () => {
    await start();
    await finish();
    submitted.length = 0;
    const again = `jobs/${JOB}/work/1`;
    await start({ prefix: again });
    await start({ prefix: again });
    expect(submitted).toEqual([]);
    expect(sent.at(-1)).toMatchObject({ done: true, costMicros: 0, counts: { total: 2, ok: 2 } });
    expect([...(await readTraces(world.runtime.artifacts, again)).values()]).toMatchObject([
      { cached: true, savedMicros: 15 },
      { cached: true, savedMicros: 15 },
    ]);
    expect(await reconcile(world.runtime, JOB)).toMatchObject({
      calls: 2,
      cacheHits: 2,
      microUsd: 30,
      savedMicros: 30,
    });
  });

  it('stay with their job where the batch says so', async () => {
    await start();
    await finish();
    submitted.length = 0;
    await start({ prefix: `jobs/${JOB}/work/own`, cacheScope: 'job' });
    expect(submitted).toHaveLength(2);
  });
});

describe('readNotification', () => {
  it('never throws, whatever a message says', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (body) => {
        const news = readNotification(body);
        expect(news === undefined || typeof news === 'object').toBe(true);
      }),
    );
  });
});
