import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { beginTask } from '#functions/triggers/begin-task.ts';
import { handler as finish } from '#functions/triggers/finish.ts';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { newJobId } from '#shared/determinism/ids.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import type { Json } from '#shared/storage/ports.ts';
import { consoleJobId } from '#shared/task/envelope.ts';
import { jobControl, type JobControl } from '#shared/task/job-control.ts';
import { withRuntime } from '#shared/task/runtime.ts';
import { testCatalog } from '#test/support/catalog.ts';
import { newJob } from '#test/support/jobs.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

let host: TestRuntime;
let control: JobControl;
beforeEach(async () => {
  host = await embeddedRuntime();
  control = jobControl(host.runtime, testCatalog);
});
afterEach(() => host.close());

const beginHandler = beginTask(testCatalog);
const begin = (event: Json, executionName: string, workflow = 'word-count') =>
  withRuntime(host.runtime, () =>
    beginHandler({ workflow, executionId: `arn:${executionName}`, executionName, event }),
  );
const end = (event: Record<string, unknown>) => withRuntime(host.runtime, () => finish(event));
const exists = async (key: string) => (await host.runtime.artifacts.list({ prefix: key })).objects.length > 0;
const named = (name: string, message?: RegExp) =>
  expect.objectContaining({ name, ...(message ? { message: expect.stringMatching(message) } : {}) });

const input = { sources: [{ uri: 'docs/a.txt' }] };

describe('begin', () => {
  beforeEach(async () => {
    await host.runtime.artifacts.put('docs/a.txt', 'hello');
  });

  test('adopts the job of an envelope: RUNNING, defaults filled, budget opened; twice is the same', async () => {
    const { job } = await control.create({
      workflow: 'word-count',
      input,
      owner: 'ann',
      model: 'builtin',
      budget: { usd: 1.5, calls: 9 },
    });
    const event = host.workflows.executions.get(job.executionId!)!.input;
    const output = await begin(event, `${job.jobId}.1`);
    expect(output).toMatchObject({ jobId: job.jobId, workflow: 'word-count', attempt: 1, model: 'builtin' });
    expect(await readJson(host.runtime.artifacts, output.input as never)).toEqual({
      ...input,
      language: 'en',
      seeds: [],
    });
    expect((await control.store.get(job.jobId))!.job).toMatchObject({
      status: 'RUNNING',
      owner: 'ann',
      executionId: `arn:${job.jobId}.1`,
      budget: { microUsd: 1_500_000, calls: 9 },
    });
    const budget = (await host.runtime.records.get({ pk: `BUDGET#${job.jobId}`, sk: 'SPEND' }))!;
    expect(Object.values(budget.attributes)).toContain(1_500_000);
    expect(await begin(event, `${job.jobId}.1`)).toEqual(output);
  });

  test('makes a job of a bare input, for owner console, from the execution name', async () => {
    const output = await begin(input as unknown as Json, 'my-run');
    expect(output.jobId).toBe(consoleJobId('word-count', 'my-run'));
    expect((await control.store.get(output.jobId))!.job).toMatchObject({
      owner: 'console',
      status: 'RUNNING',
      executionId: 'arn:my-run',
      budget: { microUsd: 5_000_000 },
      input,
    });
    expect(await begin(input as unknown as Json, 'my-run')).toEqual(output);
    expect((await begin(input as unknown as Json, 'my-run-2')).jobId).not.toBe(output.jobId);
  });

  test('an invalid input names its fields and closes the job with a problem document', async () => {
    const bad = { sources: [{ url: 'x' }], seeds: [1, 'two'] } as unknown as Json;
    await expect(begin(bad, 'bad')).rejects.toEqual(named('InvalidInput', /\/input\/seeds\/1/));
    const { job } = (await control.store.get(consoleJobId('word-count', 'bad')))!;
    expect(job.status).toBe('FAILED');
    expect(job.error).toMatchObject({ type: 'urn:agentmill:problem:invalid-input', status: 422 });
    expect(job.error!.errors!.map(({ pointer }) => pointer).sort()).toEqual([
      '#/input/seeds/1',
      '#/input/sources/0/uri',
      '#/input/sources/0/url',
    ]);
    expect((await control.store.events(job.jobId)).items.at(-1)).toMatchObject({ level: 'error' });
    // The machine's catcher comes to finish: the job stays as it is, and there is no marker.
    const closed = await end({
      workflow: 'word-count',
      executionName: 'bad',
      event: bad,
      error: { Error: 'InvalidInput' },
    });
    expect(closed).toEqual({ jobId: job.jobId, status: 'FAILED' });
    expect(await exists(`jobs/${job.jobId}/output/`)).toBe(false);
  });

  test('named objects must exist, be what the reference says and not too large', async () => {
    const { artifacts } = host.runtime;
    await artifacts.put('uploads/console/u1/a.txt', 'hello');
    await artifacts.put('uploads/console/u2/big.txt', 'x'.repeat(10_001));
    const uris = (...keys: string[]) => ({ sources: keys.map((uri) => ({ uri })) }) as unknown as Json;
    await begin(
      uris(
        'uploads/console/u1/a.txt',
        's3://agentmill-local/uploads/console/u1/a.txt',
        'uploads/console/u1/',
      ),
      'ok',
    );
    await expect(begin(uris('uploads/console/u1/b.txt'), 'e1')).rejects.toEqual(
      named('InvalidInput', /\/input\/sources\/0\/uri: There is no such object/),
    );
    await expect(begin(uris('uploads/console/u2/big.txt'), 'e2')).rejects.toEqual(
      named('InvalidInput', /10001 bytes/),
    );
  });

  test('an envelope of another workflow, an ended job or a stale attempt is refused', async () => {
    const envelope = (jobId: string, attempt = 1, workflow = 'word-count') =>
      ({ job: { jobId, workflow, attempt }, input }) as unknown as Json;
    await expect(begin(envelope(newJobId('other')), 'x')).rejects.toEqual(named('InvalidInput'));
    await expect(begin(envelope(newJobId('word-count'), 1, 'other'), 'x')).rejects.toEqual(
      named('InvalidInput'),
    );
    const ended = newJob(newJobId('word-count'), { status: 'FAILED' });
    await control.store.create(ended);
    await expect(begin(envelope(ended.jobId), 'x')).rejects.toEqual(named('Cancelled'));
    const resumed = newJob(newJobId('word-count'), { attempt: 2 });
    await control.store.create(resumed);
    await expect(begin(envelope(resumed.jobId, 1), 'x')).rejects.toEqual(named('Conflict'));
  });

  test('a job cancelled before it began ends CANCELLED', async () => {
    const { job } = await control.create({ workflow: 'word-count', input, owner: 'ann' });
    await control.cancel(job.jobId);
    const event = host.workflows.executions.get(job.executionId!)!.input;
    await expect(begin(event, `${job.jobId}.1`)).rejects.toEqual(named('Cancelled'));
    expect((await control.store.get(job.jobId))!.job.status).toBe('CANCELLED');
  });
});

describe('finish', () => {
  const running = async () => (await begin({ sources: [] }, 'run')).jobId;

  test('writes the manifest, closes the job, and last the marker; again changes nothing', async () => {
    const jobId = await running();
    const result = await end({
      jobId,
      content: { value: { counts: { words: 3 } } },
      yields: { words: 3 },
      warnings: ['w'],
    });
    expect(result).toMatchObject({ jobId, status: 'SUCCEEDED' });
    const manifest = (await readJson(host.runtime.artifacts, `jobs/${jobId}/output/manifest.json`)) as Record<
      string,
      Record<string, unknown>
    >;
    expect(manifest.content).toEqual({ counts: { words: 3 } });
    expect(manifest.run).toMatchObject({
      jobId,
      workflow: 'word-count',
      status: 'SUCCEEDED',
      costMicros: 0,
      pending: 0,
      warnings: ['w'],
      executionId: 'arn:run',
    });
    expect(await exists(`jobs/${jobId}/output/_SUCCESS`)).toBe(true);
    const { job } = (await control.store.get(jobId))!;
    expect(job).toMatchObject({ status: 'SUCCEEDED', yields: { words: 3 }, cost: { microUsd: 0, calls: 0 } });
    expect(job.endedAt).toBe(manifest.run!.endedAt);
    await host.runtime.artifacts.delete(`jobs/${jobId}/output/_SUCCESS`);
    expect(await end({ jobId, status: 'FAILED' })).toEqual({ jobId, status: 'SUCCEEDED' });
    expect(await exists(`jobs/${jobId}/output/_SUCCESS`)).toBe(true);
    expect((await control.store.get(jobId))!.job).toEqual(job);
    expect(host.logs.filter((line) => line.JobsFinished === 1)).toHaveLength(1);
  });

  test.each([
    ['BudgetExhausted', 'BUDGET_EXHAUSTED', 'budget-exhausted', '_PARTIAL'],
    ['Cancelled', 'CANCELLED', undefined, undefined],
    ['Defect', 'FAILED', 'task-failed', undefined],
    ['ModelUnavailable', 'FAILED', 'unavailable', undefined],
    ['States.ExceedToleratedFailureThreshold', 'FAILED', 'tolerance-exceeded', undefined],
    ['States.Timeout', 'FAILED', 'timed-out', undefined],
  ] as const)('a caught %s ends the job as %s', async (Error, status, slug, marker) => {
    const jobId = await running();
    const Cause = JSON.stringify({ errorType: Error, errorMessage: 'what happened', trace: [] });
    expect(await end({ jobId, error: { Error, Cause } })).toMatchObject({ status });
    const { job } = (await control.store.get(jobId))!;
    expect(job.status).toBe(status);
    expect(job.error?.type).toBe(slug && `urn:agentmill:problem:${slug}`);
    if (slug) expect(job.error!.detail).toContain('what happened');
    for (const name of ['_SUCCESS', '_PARTIAL'])
      expect(await exists(`jobs/${jobId}/output/${name}`)).toBe(name === marker);
  });

  test('pending subjects leave _PARTIAL; a failure of a job asked to stop is CANCELLED', async () => {
    const first = await running();
    await end({ jobId: first, pending: 2 });
    expect(await exists(`jobs/${first}/output/_PARTIAL`)).toBe(true);
    const second = (await begin({ sources: [] }, 'run-2')).jobId;
    await control.cancel(second);
    await end({ jobId: second, error: { Error: 'States.ExceedToleratedFailureThreshold' } });
    expect((await control.store.get(second))!.job).toMatchObject({ status: 'CANCELLED' });
    expect(await exists(`jobs/${second}/output/_`)).toBe(false);
  });

  test('a stale attempt changes nothing; a resumed one takes the old marker away', async () => {
    const jobId = await running();
    await end({ jobId, status: 'BUDGET_EXHAUSTED', attempt: 1 });
    const resumed = await control.resume(jobId, { budget: { usd: 5 } }).catch((error: Error) => error);
    expect(resumed).toMatchObject({ name: 'Conflict', message: expect.stringContaining('larger') });
    await host.runtime.records.update(
      { pk: `JOB#${jobId}`, sk: 'META' },
      { set: { budget: { microUsd: 10 } } },
    );
    expect(await control.resume(jobId, { budget: { usd: 5 } })).toMatchObject({
      attempt: 2,
      status: 'QUEUED',
      budget: { microUsd: 5_000_000 },
    });
    expect(await end({ jobId, attempt: 1 })).toMatchObject({ status: 'FAILED' });
    expect((await control.store.get(jobId))!.job.status).toBe('QUEUED');
    await end({ jobId, attempt: 2 });
    expect(await exists(`jobs/${jobId}/output/_SUCCESS`)).toBe(true);
    expect(await exists(`jobs/${jobId}/output/_PARTIAL`)).toBe(false);
  });

  test('takes its content from an artifact', async () => {
    const jobId = await running();
    const text = '{"counts":{"a":1}}';
    await host.runtime.artifacts.put(`jobs/${jobId}/work/content.json`, text);
    const ref = { key: `jobs/${jobId}/work/content.json`, sha256: sha256Hex(text), bytes: text.length };
    await end({ jobId, content: { ref } });
    const manifest = (await readJson(host.runtime.artifacts, `jobs/${jobId}/output/manifest.json`)) as {
      content: unknown;
    };
    expect(manifest.content).toEqual({ counts: { a: 1 } });
  });
});
