import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { newJobId } from '#shared/determinism/ids.ts';
import { ProviderError } from '#shared/models/types.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { budgetExhausted, conflict, notFound, type ErrorName } from '#shared/task/errors.ts';
import { jobStore } from '#shared/task/job-store.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { withRuntime } from '#shared/task/runtime.ts';
import { newJob } from '#test/support/jobs.ts';
import { embeddedRuntime, manualClock, type TestRuntime } from '#test/support/runtime.ts';

let host: TestRuntime;
beforeEach(async () => {
  host = await embeddedRuntime();
});
afterEach(() => host.close());

const Input = z.strictObject({ jobId: z.string().optional(), text: z.string().default('x') });
const Output = z.strictObject({ length: z.int() });
type Run = (input: z.output<typeof Input>, ctx: TaskContext) => Promise<z.input<typeof Output>>;

const taskThat = (
  run: Run,
  more: Partial<Parameters<typeof defineTask<typeof Input, typeof Output>>[0]> = {},
) => defineTask({ name: 'sample/measure', input: Input, output: Output, run, ...more });
const call = (handler: ReturnType<typeof taskThat>, event: unknown, context = {}) =>
  withRuntime(host.runtime, () => handler(event, context));
const measure: Run = async ({ text }) => ({ length: text.length });

const failure = (name: ErrorName, message?: RegExp) =>
  expect.objectContaining({ name, ...(message ? { message: expect.stringMatching(message) } : {}) });

describe('a task', () => {
  test('gets validated input with defaults, and its context', async () => {
    const jobId = newJobId('sample');
    await jobStore(host.runtime).create({ ...newJob(jobId), owner: 'ann', attempt: 3, executionId: 'arn:x' });
    let seen: TaskContext | undefined;
    const handler = taskThat(async (input, ctx) => {
      seen = ctx;
      return measure(input, ctx);
    });
    expect(await call(handler, { jobId }, { getRemainingTimeInMillis: () => 60_000 })).toEqual({ length: 1 });
    expect(seen).toMatchObject({
      name: 'sample/measure',
      jobId,
      workflow: 'sample',
      attempt: 3,
      owner: 'ann',
      executionId: 'arn:x',
    });
    expect(seen!.deadline - Date.now()).toBeGreaterThan(50_000);
    expect(seen!.deadline - Date.now()).toBeLessThanOrEqual(58_000);
  });

  test('writes its metrics as one EMF line with the job as a property', async () => {
    const jobId = newJobId('sample');
    const handler = taskThat(async (input, ctx) => {
      ctx.log.metric('ItemsIn', 2);
      ctx.log.metric('ItemsIn', 3);
      return measure(input, ctx);
    });
    await call(handler, { jobId });
    const emf = host.logs.find((line) => '_aws' in line)!;
    expect(emf).toMatchObject({ ItemsIn: 5, jobId, stage: 'test', workflow: 'sample', task: 'measure' });
    const [{ Namespace, Dimensions, Metrics }] = (
      emf._aws as { CloudWatchMetrics: [Record<string, unknown>] }
    ).CloudWatchMetrics;
    expect([Namespace, Dimensions]).toEqual(['Agentmill', [['stage', 'workflow', 'task']]]);
    expect(Metrics).toContainEqual({ Name: 'ItemsIn', Unit: 'Count' });
  });

  test('with `once` runs a second delivery from its marker', async () => {
    const jobId = newJobId('sample');
    await jobStore(host.runtime).create(newJob(jobId));
    const run = vi.fn(measure);
    const handler = taskThat(run, { once: ({ text }) => text });
    expect(await call(handler, { jobId, text: 'abc' })).toEqual({ length: 3 });
    expect(await call(handler, { jobId, text: 'abc' })).toEqual({ length: 3 });
    expect(await call(handler, { jobId, text: 'other' })).toEqual({ length: 5 });
    expect(run).toHaveBeenCalledTimes(2);
  });
});

describe('[infra-api-cli 26] what is seen becomes an error of the taxonomy', () => {
  const aws = (name: string, status?: number) =>
    Object.assign(new Error('planted-secret'), {
      name,
      ...(status ? { $metadata: { httpStatusCode: status } } : {}),
    });
  const provider = (code: ConstructorParameters<typeof ProviderError>[0]) =>
    new ProviderError(code, 'm', { billed: 'no' });
  const rows: [string, unknown, ErrorName][] = [
    ['a missing key', aws('NoSuchKey', 404), 'NotFound'],
    ['a missing record', notFound('gone'), 'NotFound'],
    ['a failed precondition of S3', aws('PreconditionFailed', 412), 'Conflict'],
    ['a failed condition of DynamoDB', aws('ConditionalCheckFailedException', 400), 'Conflict'],
    ['a lost race', conflict('lost'), 'Conflict'],
    ['a storage throttle', aws('ProvisionedThroughputExceededException', 400), 'StorageUnavailable'],
    ['a 503', aws('SlowDown', 503), 'StorageUnavailable'],
    ['an unnamed 500', aws('Whatever', 500), 'StorageUnavailable'],
    ['a connection reset', Object.assign(new Error('x'), { code: 'ECONNRESET' }), 'StorageUnavailable'],
    [
      'a busy database',
      Object.assign(new Error('x'), { code: 'ERR_SQLITE_ERROR', errcode: 5 }),
      'StorageUnavailable',
    ],
    ['a model 429', provider('THROTTLED'), 'ModelThrottled'],
    ['a model 5xx, not ready or refused', provider('UNAVAILABLE'), 'ModelUnavailable'],
    ['a model time-out', provider('TIMEOUT'), 'ModelUnavailable'],
    ['a model that refuses our credentials', provider('AUTH'), 'Defect'],
    ['a refused reservation', budgetExhausted('cap'), 'BudgetExhausted'],
    ['anything else', new TypeError('planted-secret'), 'Defect'],
    ['a thrown text', 'planted-secret', 'Defect'],
    ['a time-out that was not ours', aws('TimeoutError'), 'Defect'],
  ];
  test.each(rows)('%s', async (_, thrown, name) => {
    const handler = taskThat(async () => {
      throw thrown;
    });
    const error = (await call(handler, {}).catch((caught: unknown) => caught)) as Error;
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe(name);
    expect(error.message).not.toContain('planted-secret');
    expect(host.logs.some((line) => line.message === 'The task failed.' && line.errorName === name)).toBe(
      true,
    );
  });

  test('the cause of a Defect is in the log', async () => {
    const handler = taskThat(async () => {
      throw new TypeError('the real reason');
    });
    await expect(call(handler, {})).rejects.toEqual(failure('Defect'));
    expect(JSON.stringify(host.logs)).toContain('the real reason');
  });

  test('schema: input is InvalidInput with pointers, output is Defect', async () => {
    const error = await call(taskThat(measure), { text: 1, more: true }).catch((caught: unknown) => caught);
    expect(error).toEqual(failure('InvalidInput', /\/text: .*\/more: There is no such field/));
    expect(error).toMatchObject({
      problems: [{ pointer: '/text' }, { pointer: '/more', code: 'unknown-field' }],
    });
    const bad = taskThat(async () => ({ length: 'long' }) as never);
    await expect(call(bad, {})).rejects.toEqual(failure('Defect', /\/length/));
  });

  test('size: input over 256 KiB is refused, over 32 KiB warned; output over 32 KiB is a Defect', async () => {
    await expect(call(taskThat(measure), { text: 'x'.repeat(262_144) })).rejects.toEqual(
      failure('InvalidInput', /262\d+ bytes/),
    );
    await call(taskThat(measure), { text: 'x'.repeat(40_000) });
    expect(host.logs).toContainEqual(expect.objectContaining({ level: 'warn', bytes: 40_011 }));
    const big = defineTask({
      name: 'sample/big',
      input: Input,
      output: z.string(),
      run: async () => 'x'.repeat(33_000),
    });
    await expect(withRuntime(host.runtime, () => big({}))).rejects.toEqual(failure('Defect', /33002 bytes/));
  });

  test('a set cancel flag is Cancelled; begin and finish run all the same', async () => {
    const jobId = newJobId('sample');
    const store = jobStore(host.runtime);
    await store.create(newJob(jobId));
    await store.requestCancel(jobId);
    const run = vi.fn(measure);
    await expect(call(taskThat(run), { jobId })).rejects.toEqual(failure('Cancelled'));
    expect(run).not.toHaveBeenCalled();
    expect(await call(taskThat(run, { name: 'sample/finish' }), { jobId })).toEqual({ length: 1 });
    expect(await call(taskThat(run, { evenIfCancelled: true }), { jobId })).toEqual({ length: 1 });
  });

  test('time-out: the signal aborts and DeadlineExceeded is thrown 2 s before the host stops', async () => {
    const started = Date.now();
    let aborted = 0;
    const handler = taskThat(async (_, { signal }) => {
      signal.addEventListener('abort', () => (aborted = Date.now() - started));
      await delay(5_000, undefined, { signal });
      return { length: 0 };
    });
    const host2s = { getRemainingTimeInMillis: () => 2_050 - (Date.now() - started) };
    await expect(call(handler, {}, host2s)).rejects.toEqual(failure('DeadlineExceeded'));
    expect(aborted).toBeGreaterThanOrEqual(45);
    expect(host2s.getRemainingTimeInMillis()).toBeGreaterThan(0);
    expect(host.logs.some((line) => line.EarlyTimeouts === 1)).toBe(true);
  });

  test('a stop by the host is DeadlineExceeded', async () => {
    const controller = new AbortController();
    const handler = taskThat(async (_, { signal }) => {
      controller.abort();
      await delay(5_000, undefined, { signal });
      return { length: 0 };
    });
    await expect(call(handler, {}, { signal: controller.signal })).rejects.toEqual(
      failure('DeadlineExceeded'),
    );
  });
});

test('the cancel flag is at most 5 s old', async () => {
  const clock = manualClock();
  const other = await embeddedRuntime({ clock });
  try {
    const jobId = newJobId('sample');
    const store = jobStore(other.runtime);
    await store.create(newJob(jobId));
    expect(await store.cancelRequested(jobId)).toBe(false);
    // As another process would: past this one's cache.
    await other.runtime.records.update(
      { pk: `JOB#${jobId}`, sk: 'META' },
      { set: { cancelRequestedAt: 'now' } },
    );
    clock.advance(4_999);
    expect(await store.cancelRequested(jobId)).toBe(false);
    clock.advance(1);
    expect(await store.cancelRequested(jobId)).toBe(true);
  } finally {
    await other.close();
  }
});
