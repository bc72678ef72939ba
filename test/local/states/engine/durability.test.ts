import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#shared/determinism/clock.ts';
import { VirtualClock } from '#local/states/index.ts';
import type { Json } from '#shared/storage/ports.ts';
import { bareEngine, machine, named, P, ran, T, task } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'agentmill-durable-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let store: string;
beforeEach(() => {
  store = join(mkdtempSync(join(root, 'd-')), 'states.sqlite');
});

const token = (fields: object = {}) =>
  T({ Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken', ...fields });

it('a store that fails ends everyone who waits: nothing hangs, nothing is said to have happened', async () => {
  const faults: unknown[] = [];
  const engine = bareEngine({ store, clock: systemClock, onError: (error) => faults.push(error) });
  await engine.resume();
  engine.createMachine('m', token());
  const { executionArn } = await engine.start({ machine: 'm', name: 'x', input: {} });
  const watching = engine.wait(executionArn);
  watching.catch(() => undefined);
  const other = new DatabaseSync(store);
  other.exec('DROP TABLE events');
  other.close();
  const started = engine.start({ machine: 'm', name: 'y', input: {} });
  await expect(started).rejects.toMatchObject({ name: 'StorageUnavailable' });
  await expect(watching).rejects.toThrow();
  await expect(engine.start({ machine: 'm', name: 'z', input: {} })).rejects.toMatchObject({
    name: 'StorageUnavailable',
  });
  expect(faults).toHaveLength(1);
  expect(engine.failed.reason).toBe(faults[0]);
  await engine.close();
});

describe('what survives the process', () => {
  it('token tasks keep waiting; their tokens stay good, and closed ones stay closed', async () => {
    let held = '';
    const invoke = async (_name: string, event: Json, { context }: { context: { taskToken?: string } }) => {
      held = context.taskToken!;
      return event;
    };
    const first = bareEngine({ store, invoke, clock: systemClock });
    await first.resume();
    first.createMachine('m', token());
    const { executionArn } = await first.start({ machine: 'm', name: 'x', input: {} });
    await expect
      .poll(async () => (await first.history(executionArn)).events.at(-1)!.type)
      .toBe('TaskSubmitted');
    await first.close();
    let dispatched = 0;
    const second = bareEngine({
      store,
      clock: systemClock,
      invoke: async () => {
        dispatched++;
        return null;
      },
    });
    await second.resume();
    await second.sendTaskSuccess(held, 'answer');
    expect(await ran(second, executionArn)).toMatchObject({ status: 'SUCCEEDED', output: 'answer' });
    expect(dispatched).toBe(0);
    await second.close();
    const third = bareEngine({ store });
    await third.resume();
    await expect(third.sendTaskSuccess(held, 1)).rejects.toThrow('TaskTimedOut');
    await third.close();
  });

  it('request tasks are dispatched again, as the same attempt and without a new event', async () => {
    const first = bareEngine({ store, invoke: () => new Promise(() => {}) });
    await first.resume();
    first.createMachine('m', T({ Output: '{% $states.result.Payload %}' }));
    const { executionArn } = await first.start({ machine: 'm', name: 'x', input: { n: 1 } });
    await first.close();
    const second = bareEngine({ store });
    await second.resume();
    const run = await ran(second, executionArn);
    expect(run).toMatchObject({ status: 'SUCCEEDED', output: { n: 1 } });
    expect(run.types.filter((type) => type === 'TaskScheduled' || type === 'TaskStarted')).toHaveLength(2);
    await second.close();
  });

  it('overdue timers fire at once, and running executions keep the version they started with', async () => {
    const first = bareEngine({ store, clock: systemClock });
    await first.resume();
    const waiting = machine({ W: { Type: 'Wait', Seconds: 60, Output: 'old', End: true } });
    first.createMachine('m', waiting);
    const { executionArn } = await first.start({ machine: 'm', name: 'x', input: {} });
    await first.close();
    const second = bareEngine({ store, clock: new VirtualClock(Date.now() + 3_600_000) });
    second.createMachine('m', P('new'));
    await second.resume();
    expect(await ran(second, executionArn)).toMatchObject({ output: 'old' });
    const { executionArn: next } = await second.start({ machine: 'm', name: 'y', input: {} });
    expect(await ran(second, next)).toMatchObject({ output: 'new' });
    await second.close();
  });

  it('one process owns the engine; others reach it through the inbox', async () => {
    let held = '';
    const owner = bareEngine({
      store,
      clock: systemClock,
      invoke: async (_name, event, { context }) => {
        held = context.taskToken ?? '';
        return event;
      },
    });
    expect(await owner.resume()).toBe(true);
    const client = bareEngine({ store, clock: systemClock });
    expect(await client.resume()).toBe(false);
    client.createMachine('m', token());
    const { executionArn } = await client.start({ machine: 'm', name: 'x', input: { a: 1 } });
    expect(await client.start({ machine: 'm', name: 'x', input: { a: 1 } })).toMatchObject({ executionArn });
    await expect(client.start({ machine: 'm', name: 'x', input: {} })).rejects.toMatchObject({
      name: 'Conflict',
      data: { code: 'ExecutionAlreadyExists' },
    });
    await expect.poll(() => held).not.toBe('');
    await client.sendTaskHeartbeat(held);
    await client.sendTaskFailure(held, { error: 'Told', cause: 'so' });
    expect(await client.wait(executionArn)).toBe('FAILED');
    expect(await client.describe(executionArn)).toMatchObject({ error: 'Told', cause: 'so' });
    await client.redrive(executionArn);
    await client.stop(executionArn);
    expect(await client.describe(executionArn)).toMatchObject({ status: 'ABORTED', redriveCount: 1 });
    await owner.close();
    expect(await client.resume()).toBe(true);
    await client.close();
  });
});

describe('redrive', () => {
  it('reruns only the unsuccessful branch and iterations, with fresh retries', async () => {
    const calls: Json[] = [];
    let mended = false;
    const engine = bareEngine({
      store: ':memory:',
      invoke: async (_name, event) => {
        calls.push(event);
        if (!mended && (event === 'b' || event === 2)) throw named('Bad');
        return event;
      },
    });
    const call = (Payload: Json) => ({
      StartAt: 'T',
      States: {
        T: task({
          Arguments: { FunctionName: 'f', Payload },
          Retry: [{ ErrorEquals: ['Bad'], MaxAttempts: 1 }],
          Output: '{% $states.result.Payload %}',
        }),
      },
    });
    engine.createMachine(
      'm',
      machine({
        P: { Type: 'Parallel', Branches: [call('a'), call('b')], Next: 'M' } as never,
        M: {
          Type: 'Map',
          Items: [1, 2, 3],
          MaxConcurrency: 1,
          ItemProcessor: call('{% $states.input %}'),
          End: true,
        } as never,
      }),
    );
    const { executionArn } = await engine.start({ machine: 'm', name: 'x', input: {} });
    expect(await engine.wait(executionArn)).toBe('FAILED');
    expect(calls).toEqual(['a', 'b', 'b']);
    mended = true;
    await engine.redrive(executionArn);
    expect(await ran(engine, executionArn)).toMatchObject({ status: 'SUCCEEDED', output: [1, 2, 3] });
    expect(calls).toEqual(['a', 'b', 'b', 'b', 1, 2, 3]);
    await engine.close();
  });

  it('is refused for what runs or has succeeded', async () => {
    const engine = bareEngine({ store: ':memory:' });
    engine.createMachine('m', P(1));
    const { executionArn } = await engine.start({ machine: 'm', name: 'x', input: {} });
    await engine.wait(executionArn);
    await expect(engine.redrive(executionArn)).rejects.toThrow('ExecutionNotRedrivable');
    await engine.close();
  });
});

describe('limits and fairness', () => {
  it('at most 256 tasks run at once, and executions take turns', async () => {
    let running = 0;
    let most = 0;
    const clock = new VirtualClock();
    const engine = bareEngine({
      store: ':memory:',
      clock,
      invoke: async (_name, event) => {
        most = Math.max(most, ++running);
        await clock.sleep(1000);
        running--;
        return event;
      },
    });
    engine.createMachine('m', T({}));
    engine.createMachine(
      'endless',
      machine({
        A: { Type: 'Choice', Choices: [{ Condition: '{% false %}', Next: 'Z' }], Default: 'A' } as never,
        Z: { Type: 'Succeed' },
      }),
    );
    const endless = await engine.start({ machine: 'endless', name: 'x', input: {} });
    const started = await Promise.all(
      Array.from({ length: 600 }, (_, n) => engine.start({ machine: 'm', name: `x-${n}`, input: {} })),
    );
    for (const { executionArn } of started) expect(await engine.wait(executionArn)).toBe('SUCCEEDED');
    expect(most).toBe(256);
    await engine.wait(endless.executionArn);
    await engine.close();
  });

  it('an execution past its TimeoutSeconds is TIMED_OUT', async () => {
    const engine = bareEngine({ store: ':memory:' });
    engine.createMachine('m', {
      ...machine({ W: { Type: 'Wait', Seconds: 10, End: true } }),
      TimeoutSeconds: 5,
    });
    const { executionArn } = await engine.start({ machine: 'm', name: 'x', input: {} });
    const run = await ran(engine, executionArn);
    expect(run).toMatchObject({ status: 'TIMED_OUT', error: 'States.Timeout' });
    expect(run.events.at(-1)!.timestamp - run.started).toBe(5000);
    await engine.close();
  });

  it('variables have their limits', async () => {
    const engine = bareEngine({ store: ':memory:' });
    const doubled = '{% $states.input.t & $states.input.t %}';
    engine.createMachine('m', machine({ A: { Type: 'Pass', Assign: { x: doubled }, Output: 1, End: true } }));
    const input = { t: 'x'.repeat(200_000) };
    const { executionArn } = await engine.start({ machine: 'm', name: 'x', input });
    expect(await ran(engine, executionArn)).toMatchObject({
      status: 'FAILED',
      error: 'States.DataLimitExceeded',
    });
    await engine.close();
  });
});
