import type { SQSEvent } from 'aws-lambda';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createApi } from '#functions/api/create-api.ts';
import { beginTask } from '#functions/triggers/begin-task.ts';
import { readMessage } from '#functions/triggers/messages.ts';
import { createStarter } from '#functions/triggers/starter.ts';
import { createSweeper } from '#functions/triggers/sweeper.ts';
import { derivedJobId, newJobId } from '#shared/determinism/ids.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import { storageUnavailable } from '#shared/task/errors.ts';
import type { Job } from '#shared/task/jobs.ts';
import { jobControl, type JobControl } from '#shared/task/job-control.ts';
import { withRuntime } from '#shared/task/runtime.ts';
import { eventClient } from '#test/support/api.ts';
import { testCatalog } from '#test/support/catalog.ts';
import { newJob } from '#test/support/jobs.ts';
import { embeddedRuntime, manualClock, type TestRuntime } from '#test/support/runtime.ts';

let host: TestRuntime;
let control: JobControl;
let clock: ReturnType<typeof manualClock>;
beforeEach(async () => {
  clock = manualClock();
  host = await embeddedRuntime({ clock });
  control = jobControl(host.runtime, testCatalog);
});
afterEach(() => host.close());

const starter = createStarter(testCatalog);
const sweeper = createSweeper(testCatalog);
let sent = 0;
/** Delivers bodies as one batch; returns the message ids that come again. */
const deliver = async (...bodies: unknown[]): Promise<string[]> => {
  const Records = bodies.map((body) => ({
    messageId: `m${sent++}`,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  }));
  const answer = await withRuntime(host.runtime, () => starter({ Records } as unknown as SQSEvent));
  return answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
};
const sweep = () => withRuntime(host.runtime, () => sweeper());
const created = (key: string, size = 5, version: string | undefined = 'v1') => ({
  source: 'aws.s3',
  'detail-type': 'Object Created',
  detail: {
    bucket: { name: 'agentmill-local' },
    object: { key, size, etag: 'e1', ...(version ? { 'version-id': version } : {}) },
  },
});
const ended = (executionArn: string, status: string) => ({
  source: 'aws.states',
  'detail-type': 'Step Functions Execution Status Change',
  detail: { executionArn, status },
});
const allJobs = async (): Promise<Job[]> =>
  (await control.store.list({ workflows: ['word-count', 'other', 'unknown'], limit: 100 })).items;
const onlyJob = async (): Promise<Job> => {
  const jobs = await allJobs();
  expect(jobs).toHaveLength(1);
  return jobs[0]!;
};

describe('objects', () => {
  test('[infra-api-cli 22] one event delivered three times starts one execution', async () => {
    const event = created('ingest/word-count/a b+c.txt');
    expect(await deliver(event, event)).toEqual([]);
    expect(await deliver(event)).toEqual([]);
    expect(host.workflows.starts).toBe(1);
    const job = await onlyJob();
    expect(job).toMatchObject({
      owner: 'ingest',
      workflow: 'word-count',
      input: { sources: [{ uri: 'ingest/word-count/a b+c.txt' }] },
    });
    await deliver(created('ingest/word-count/a b+c.txt', 5, 'v2'));
    expect(host.workflows.starts).toBe(2);
  });

  test('a job file is a create body', async () => {
    const key = 'ingest/word-count/x.job.json';
    await host.runtime.artifacts.put(
      key,
      JSON.stringify({ input: { sources: [] }, budget: { usd: 2 }, model: 'builtin' }),
    );
    await deliver(created(key, 60));
    expect(await onlyJob()).toMatchObject({
      input: { sources: [] },
      budget: { microUsd: 2_000_000 },
      model: 'builtin',
      status: 'QUEUED',
    });
  });

  test('folders and markers are passed over', async () => {
    await deliver(
      created('ingest/word-count/sub/'),
      created('ingest/word-count/_SUCCESS'),
      created('jobs/x/output/a'),
    );
    expect(await allJobs()).toEqual([]);
  });

  const files: [string, string, string | undefined, number, string][] = [
    ['an unknown workflow', 'ingest/nope/a.txt', undefined, 5, 'unknown-workflow'],
    ['no workflow at all', 'ingest/a.txt', undefined, 5, 'unknown-workflow'],
    ['a wrong suffix', 'ingest/word-count/a.exe', undefined, 5, 'unsupported-object'],
    ['an oversize object', 'ingest/word-count/a.txt', undefined, 10_001, 'unsupported-object'],
    ['an empty object', 'ingest/word-count/a.txt', undefined, 0, 'unsupported-object'],
    ['a workflow that takes no objects', 'ingest/other/a.txt', undefined, 5, 'unsupported-object'],
    ['a job file that is no JSON', 'ingest/word-count/a.job.json', '{', 1, 'malformed-json'],
    ['a job file that is no UTF-8', 'ingest/word-count/a.job.json', '\xff', 1, 'malformed-json'],
    [
      'a job file with a bad input',
      'ingest/word-count/a.job.json',
      '{"input":{"sources":1}}',
      9,
      'invalid-input',
    ],
    [
      'a job file with an unknown field',
      'ingest/word-count/a.job.json',
      '{"input":{"sources":[]},"x":1}',
      9,
      'invalid-input',
    ],
    [
      'a job file of another workflow',
      'ingest/word-count/a.job.json',
      '{"workflow":"other","input":{"sources":[]}}',
      9,
      'invalid-input',
    ],
    [
      'a job file above its budget',
      'ingest/word-count/a.job.json',
      '{"input":{"sources":[]},"budget":{"usd":99}}',
      9,
      'budget-above-limit',
    ],
    ['an oversize job file', 'ingest/word-count/a.job.json', '{}', 262_145, 'unsupported-object'],
    ['an object that is gone', 'ingest/word-count/a.job.json', undefined, 9, 'unsupported-object'],
  ];
  test.each(files)(
    '[infra-api-cli 23] %s gives a FAILED job and its slug',
    async (_, key, content, size, slug) => {
      if (content !== undefined) {
        await host.runtime.artifacts.put(key, content === '\xff' ? Buffer.from([0xff]) : content);
      }
      expect(await deliver(created(key, size), created(key, size))).toEqual([]);
      const job = await onlyJob();
      expect(job.status).toBe('FAILED');
      expect(job.error!.type).toBe(`urn:agentmill:problem:${slug}`);
      expect(job.workflow).toBe(slug === 'unknown-workflow' ? 'unknown' : key.split('/')[1]);
      expect(await readJson(host.runtime.artifacts, `jobs/${job.jobId}/problem.json`)).toEqual(job.error);
      expect((await control.store.events(job.jobId)).items).toMatchObject([{ level: 'error' }]);
      expect(host.logs.some((line) => line.Rejects === 1)).toBe(true);
      expect(host.workflows.starts).toBe(0);
    },
  );
});

describe('messages', () => {
  test('are create bodies, keyed by themselves or by the message', async () => {
    const body = { workflow: 'word-count', input: { sources: [] }, idempotencyKey: 'k' };
    await deliver(body, body, { ...body, idempotencyKey: undefined }, { ...body, idempotencyKey: undefined });
    expect((await allJobs()).map(({ owner }) => owner)).toEqual(['queue', 'queue', 'queue']);
    expect(host.workflows.starts).toBe(3);
  });

  test('of a schedule start once a fire time', async () => {
    const fired = (scheduledAt: string) => ({ workflow: 'word-count', input: { sources: [] }, scheduledAt });
    await deliver(fired('2026-01-01T00:00:00Z'), fired('2026-01-01T00:00:00Z'));
    await deliver(fired('2026-01-02T00:00:00Z'));
    expect((await allJobs()).map(({ owner }) => owner)).toEqual(['schedule', 'schedule']);
  });

  test('that cannot be read become FAILED jobs, not dead letters', async () => {
    expect(
      await deliver(
        '{',
        '[]',
        { workflow: 'word-count', input: { sources: 1 } },
        { workflow: 'nope', input: {} },
      ),
    ).toEqual([]);
    const jobs = await allJobs();
    expect(jobs.map(({ error }) => error!.type.split(':').at(-1)).sort()).toEqual([
      'invalid-input',
      'invalid-input',
      'malformed-json',
      'unknown-workflow',
    ]);
    expect(jobs.every(({ status }) => status === 'FAILED')).toBe(true);
  });

  test('[infra-api-cli 24] a batch of ten with two transient faults returns exactly two', async () => {
    const { start } = host.workflows;
    const fail = new Set(['3', '7']);
    host.workflows.start = async (request) => {
      const { input } = request.input as { input: { language: string } };
      if (fail.has(input.language)) throw storageUnavailable('throttled');
      return start(request);
    };
    const first = sent;
    const bodies = Array.from({ length: 10 }, (_, index) =>
      index === 5
        ? '{'
        : { workflow: 'other', input: { sources: [], language: String(index) }, idempotencyKey: `k${index}` },
    );
    expect(await deliver(...bodies)).toEqual([`m${first + 3}`, `m${first + 7}`]);
    fail.clear();
    expect(await deliver(bodies[3], bodies[7])).toEqual([]);
    expect(host.workflows.starts).toBe(9);
  });

  test('any text is sorted out or refused as no JSON', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        try {
          expect(['object', 'ended', 'schedule', 'body']).toContain(readMessage(text).kind);
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      }),
    );
  });

  test('any key under ingest/ is answered without a failure of the batch', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }), async (name) => {
        expect(await deliver(created(`ingest/${name}`), created(`ingest/word-count/${name}`))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

test('[infra-api-cli 25] console, API and object starts with equal input differ in id, execution, owner and times only', async () => {
  const key = 'ingest/word-count/a.txt';
  await host.runtime.artifacts.put(key, 'hello');
  const input = { sources: [{ uri: key }] };
  const begin = beginTask(testCatalog);
  const run = (name: string, event: unknown, executionId = `arn:${name}`) =>
    withRuntime(host.runtime, () =>
      begin({ workflow: 'word-count', executionId, executionName: name, event }),
    );
  const send = eventClient(createApi({ catalog: testCatalog }), host.runtime);
  await send({ method: 'POST', path: '/v1/jobs', body: { workflow: 'word-count', input } });
  clock.advance(5);
  await deliver(created(key));
  for (const { executionArn, name, input: event } of host.workflows.executions.values())
    await run(name, event, executionArn);
  clock.advance(5);
  await run('by-hand', input);

  const jobs = await allJobs();
  expect(jobs.map(({ owner }) => owner).sort()).toEqual(['console', 'ingest', 'local']);
  const same = jobs.map(
    ({
      jobId: _id,
      executionId: _execution,
      owner: _owner,
      createdAt: _created,
      startedAt: _started,
      ...rest
    }) => rest,
  );
  expect(same[0]).toMatchObject({ status: 'RUNNING', input, budget: { microUsd: 5_000_000 }, attempt: 1 });
  expect(same[1]).toEqual(same[0]);
  expect(same[2]).toEqual(same[0]);
  const files = await Promise.all(
    jobs.map(({ jobId }) => readJson(host.runtime.artifacts, `jobs/${jobId}/input.json`)),
  );
  expect(files[0]).toEqual({ ...input, language: 'en', seeds: [] });
  expect(new Set(files.map((file) => JSON.stringify(file))).size).toBe(1);
});

describe('[infra-api-cli 27] an execution that broke off', () => {
  const start = async () =>
    (await control.create({ workflow: 'word-count', input: { sources: [] }, owner: 'ann' })).job;
  const endings = [
    ['ABORTED', undefined, 'CANCELLED', undefined],
    ['TIMED_OUT', 'States.Timeout', 'FAILED', 'timed-out'],
    ['FAILED', 'States.Runtime', 'FAILED', 'task-failed'],
    ['FAILED', 'StorageUnavailable', 'FAILED', 'unavailable'],
  ] as const;
  test.each(endings)('%s (%s): closed as %s by the event', async (status, error, expected, slug) => {
    const job = await start();
    host.workflows.finish(job.executionId!, { status, ...(error ? { error, cause: 'why' } : {}) });
    await deliver(ended(job.executionId!, status), ended(job.executionId!, status));
    const closed = (await control.store.get(job.jobId))!;
    expect(closed).toMatchObject({ job: { status: expected }, closedBy: 'event' });
    expect(closed.job.error?.type).toBe(slug && `urn:agentmill:problem:${slug}`);
    expect((await control.store.events(job.jobId)).items).toHaveLength(1);
    expect((await sweep()).repaired).toBe(0);
  });

  test.each(endings)(
    '%s (%s): closed as %s by the sweep, the event lost',
    async (status, error, expected) => {
      const job = await start();
      expect(await sweep()).toEqual({ active: 1, repaired: 0, failed: 0 });
      host.workflows.finish(job.executionId!, { status, ...(error ? { error } : {}) });
      expect(await sweep()).toEqual({ active: 1, repaired: 1, failed: 0 });
      expect((await control.store.get(job.jobId))!.job.status).toBe(expected);
      expect(await sweep()).toEqual({ active: 0, repaired: 0, failed: 0 });
    },
  );

  test('a late event of a redriven execution, of an older attempt or of a map child closes nothing', async () => {
    const job = await start();
    await deliver(
      ended(job.executionId!, 'FAILED'),
      ended('arn:aws:states:us-east-1:0:execution:word-count/Count:uuid', 'FAILED'),
    );
    expect((await control.store.get(job.jobId))!.job.status).toBe('QUEUED');
    host.workflows.finish(job.executionId!, { status: 'FAILED' });
    await control.store.setStatus(job.jobId, { status: 'FAILED', closedBy: 'finish' });
    await control.resume(job.jobId);
    await deliver(
      ended(job.executionId!, 'FAILED'),
      ended('arn:aws:states:us-east-1:0:execution:word-count:none', 'FAILED'),
    );
    expect((await control.store.get(job.jobId))!.job).toMatchObject({ status: 'QUEUED', attempt: 2 });
  });

  test('by hand from the console closes its job, too', async () => {
    const { executionArn } = await host.workflows.start({
      machine: 'word-count',
      name: 'by-hand',
      input: { sources: [] },
    });
    const begin = beginTask(testCatalog);
    const { jobId } = await withRuntime(host.runtime, () =>
      begin({
        workflow: 'word-count',
        executionId: executionArn,
        executionName: 'by-hand',
        event: { sources: [] },
      }),
    );
    host.workflows.finish(executionArn, { status: 'ABORTED' });
    await deliver(ended(executionArn, 'ABORTED'));
    expect((await control.store.get(jobId))!.job.status).toBe('CANCELLED');
  });
});

describe('the sweeper', () => {
  test('[infra-api-cli 18] starts a job whose start was cut off', async () => {
    const { start } = host.workflows;
    host.workflows.start = async () => {
      throw storageUnavailable('down');
    };
    const request = { workflow: 'word-count', input: { sources: [] }, owner: 'ann', idempotencyKey: 'k' };
    await expect(control.create(request)).rejects.toMatchObject({ name: 'StorageUnavailable' });
    host.workflows.start = start;
    expect((await sweep()).repaired).toBe(0);
    clock.advance(60_000);
    expect((await sweep()).repaired).toBe(1);
    const { job } = (await control.store.get(derivedJobId('word-count', 'key', 'ann', 'k')))!;
    expect(host.workflows.executions.get(job.executionId!)!.status).toBe('RUNNING');
  });

  test('finds an execution that was started and ended unseen', async () => {
    const job = newJob(newJobId('word-count'));
    await control.store.create(job);
    const { executionArn } = await host.workflows.start({
      machine: 'word-count',
      name: `${job.jobId}.1`,
      input: {},
    });
    host.workflows.finish(executionArn, { status: 'FAILED', error: 'States.Runtime' });
    clock.advance(60_000);
    expect((await sweep()).repaired).toBe(1);
    expect((await control.store.get(job.jobId))!.job.status).toBe('FAILED');
  });

  test('stops a job that was asked to stop and did not', async () => {
    const { job } = await control.create({ workflow: 'word-count', input: { sources: [] }, owner: 'ann' });
    await control.cancel(job.jobId);
    expect((await sweep()).repaired).toBe(0);
    clock.advance(120_000);
    expect((await sweep()).repaired).toBe(1);
    expect(host.workflows.executions.get(job.executionId!)!.status).toBe('ABORTED');
    expect((await control.store.get(job.jobId))!.job.status).toBe('CANCELLED');
  });

  test('forgets marks without a job, and is not held up by one that fails', async () => {
    const { records } = host.runtime;
    const jobId = newJobId('word-count');
    await records.put({
      pk: 'JOB#word-count.active',
      sk: `ACTIVE#ann#${jobId}`,
      attributes: { jobId, owner: 'ann', since: new Date(clock.now()).toISOString() },
    });
    const broken = (await control.create({ workflow: 'word-count', input: { sources: [] }, owner: 'aaa' }))
      .job;
    const { describe: look } = host.workflows;
    host.workflows.describe = async (arn) => {
      if (arn === broken.executionId) throw storageUnavailable('down');
      return look(arn);
    };
    const other = (await control.create({ workflow: 'word-count', input: { sources: [] }, owner: 'zzz' }))
      .job;
    host.workflows.finish(other.executionId!, { status: 'TIMED_OUT' });
    expect(await sweep()).toEqual({ active: 3, repaired: 1, failed: 1 });
    clock.advance(600_000);
    await sweep();
    expect((await control.store.active('word-count')).map(({ owner }) => owner)).toEqual(['aaa']);
  });

  test('an execution nobody knows any more closes its job', async () => {
    const job = newJob(newJobId('word-count'), {
      executionId: 'arn:aws:states:us-east-1:0:execution:word-count:gone',
    });
    await control.store.create(job);
    await sweep();
    const closed = (await control.store.get(job.jobId))!.job;
    expect([closed.status, closed.error!.type]).toEqual([
      'FAILED',
      'urn:agentmill:problem:execution-stopped',
    ]);
  });
});
