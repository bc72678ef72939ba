import { describe, expect, it } from 'vitest';
import type { HistoryEvent } from '#shared/storage/ports.ts';
import { allEvents, bareEngine, machine, named, once, ran, T, task, world, type Ran } from './support.ts';

const busy = (times: number) => {
  let calls = 0;
  return {
    functions: {
      f: () => {
        if (calls++ < times) throw named('Busy');
        return 'done';
      },
    },
  };
};
const seconds = (run: Ran, type: string): number[] =>
  run.events
    .filter((event: HistoryEvent) => event.type === type)
    .map((event) => (event.timestamp - run.started) / 1000);
const caughtBy = (...errors: string[]) => ({
  Catch: [{ ErrorEquals: errors, Output: '{% $states.errorOutput.Error %}', Next: 'X' }],
});
const X = { X: { Type: 'Succeed' } };

describe('tasks in executions', () => {
  it('[embedded-platform 14] an hour passes at once', async () => {
    // A test has two minutes.
    const run = await once(machine({ S: { Type: 'Wait', Seconds: 3600, End: true } }));
    const [entered] = seconds(run, 'WaitStateEntered');
    expect(seconds(run, 'WaitStateExited')).toEqual([entered! + 3600]);
  });

  it('[embedded-platform 15] the delays of a retrier', async () => {
    const retrier = { ErrorEquals: ['Busy'], IntervalSeconds: 2, BackoffRate: 3 };
    const run = await once(T({ Retry: [retrier] }), {}, busy(2));
    expect(run.status).toBe('SUCCEEDED');
    expect(seconds(run, 'TaskScheduled')).toEqual([0, 2, 8]);
    const capped = await once(T({ Retry: [{ ...retrier, MaxDelaySeconds: 4 }] }), {}, busy(2));
    expect(seconds(capped, 'TaskScheduled')).toEqual([0, 2, 6]);
  });

  it('[embedded-platform 16] three retries by default, then the error', async () => {
    const run = await once(T({ Retry: [{ ErrorEquals: ['Busy'] }] }), {}, busy(99));
    expect(seconds(run, 'TaskScheduled')).toHaveLength(4);
    expect(run).toMatchObject({ status: 'FAILED', error: 'Busy' });
    expect(JSON.parse(run.cause!)).toMatchObject({ errorType: 'Busy', errorMessage: 'as told' });
  });

  it('[embedded-platform 17] States.TaskFailed catches a named error', async () => {
    expect((await once(T(caughtBy('States.TaskFailed'), X), {}, busy(99))).output).toBe('Busy');
  });

  it('[embedded-platform 18] a result over 256 KiB is not caught by States.ALL, but by its name', async () => {
    const tasks = { functions: { f: () => 'x'.repeat(300_000) } };
    const run = await once(T(caughtBy('States.ALL'), X), {}, tasks);
    expect(run).toMatchObject({ status: 'FAILED', error: 'States.DataLimitExceeded' });
    expect((await once(T(caughtBy('States.DataLimitExceeded'), X), {}, tasks)).output).toBe(
      'States.DataLimitExceeded',
    );
  });

  it('[embedded-platform 19] a failing Output passes through Catch', async () => {
    const run = await once(
      T({ Output: '{% $states.result.Payload.no %}', ...caughtBy('States.ALL') }, X),
      {},
      busy(0),
    );
    expect(run.output).toBe('States.QueryEvaluationError');
  });

  it('[embedded-platform 20] a time-out has no cause, and aborts the function’s signal', async () => {
    let aborted = false;
    const made = world({
      functions: {
        f: async (_event, context) => {
          context.signal.addEventListener('abort', () => (aborted = true));
          await context.agentmill.clock.sleep(60_000);
        },
      },
    });
    const run = await made.run(T({ TimeoutSeconds: 2 }));
    expect(run.error).toBe('States.Timeout');
    expect(run).not.toHaveProperty('cause');
    expect(seconds(run, 'TaskTimedOut')).toEqual([2]);
    expect(aborted).toBe(true);
    await made.close();
  });

  const tokenTask = (fields: object = {}) =>
    machine({
      S: {
        Type: 'Task',
        Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken',
        Arguments: {
          QueueUrl: 'https://sqs.example/q',
          MessageBody: { token: '{% $states.context.Task.Token %}' },
        },
        End: true,
        ...fields,
      },
      ...('Catch' in fields ? X : {}),
    });

  it('[embedded-platform 21] a worker answers a token once', async () => {
    let token = '';
    const made = world({
      queues: ['q'],
      workers: [
        {
          queue: 'q',
          async onMessage(message, api) {
            ({ token } = JSON.parse(message.body) as { token: string });
            await api.tasks.success(token, { ok: true });
          },
        },
      ],
    });
    const run = await made.run(tokenTask());
    expect(run.output).toEqual({ ok: true });
    expect(run.types).toContain('TaskSubmitted');
    await expect(made.api.tasks.success(token, {})).rejects.toThrow('TaskTimedOut');
    await expect(made.api.tasks.success('no token', {})).rejects.toThrow('InvalidToken');
    await made.close();
  });

  it('[embedded-platform 22] a missed heartbeat is a States.Timeout that both names match', async () => {
    const run = await once(tokenTask({ HeartbeatSeconds: 5 }), {}, { queues: ['q'] });
    expect(run.error).toBe('States.Timeout');
    expect(seconds(run, 'TaskTimedOut')).toEqual([5]);
    for (const name of ['States.HeartbeatTimeout', 'States.Timeout']) {
      const caught = await once(tokenTask({ HeartbeatSeconds: 5, ...caughtBy(name) }), {}, { queues: ['q'] });
      expect(caught.output).toBe('States.Timeout');
    }
  });

  it('a heartbeat in time keeps the task alive', async () => {
    const made = world({
      queues: ['q'],
      workers: [
        {
          queue: 'q',
          async onMessage(message, api) {
            const { token } = JSON.parse(message.body) as { token: string };
            for (let beat = 0; beat < 5; beat++) {
              await api.clock.sleep(4000);
              await api.tasks.heartbeat(token);
            }
            await api.tasks.failure(token, { error: 'Late', cause: 'after all' });
          },
        },
      ],
    });
    const run = await made.run(tokenTask({ HeartbeatSeconds: 5 }));
    expect(run).toMatchObject({ error: 'Late', cause: 'after all' });
    await made.close();
  });

  it('[embedded-platform 35] a used name: the same execution while it runs with equal input, else Conflict', async () => {
    const engine = bareEngine({ store: ':memory:', invoke: () => new Promise(() => {}) });
    engine.createMachine('m', T({}));
    const start = (input: object) => engine.start({ machine: 'm', name: 'one', input: input as never });
    const first = await start({ a: 1 });
    expect(await start({ a: 1 })).toEqual(first);
    await expect(start({ a: 2 })).rejects.toThrow('ExecutionAlreadyExists');
    await engine.close();
  });

  it('[embedded-platform 36] stop aborts the execution, its children and the function’s signal', async () => {
    const signals: AbortSignal[] = [];
    const engine = bareEngine({
      store: ':memory:',
      invoke: (_name, _event, { signal }) => {
        signals.push(signal);
        return new Promise(() => {});
      },
    });
    engine.createMachine('m', machine({ M: distributed({ Items: [1, 2, 3] }) }));
    const { executionArn } = await engine.start({ machine: 'm', name: 'one', input: {} });
    await expect.poll(() => signals.length).toBe(3);
    await engine.stop(executionArn, { error: 'Enough', cause: 'said so' });
    const run = await ran(engine, executionArn);
    expect(run).toMatchObject({ status: 'ABORTED', error: 'Enough', cause: 'said so' });
    expect(run.types.slice(-3)).toEqual(['MapRunAborted', 'MapStateAborted', 'ExecutionAborted']);
    await expect.poll(() => signals.every((signal) => signal.aborted)).toBe(true);
    const [mapRun] = engine.listMapRuns(executionArn);
    expect(mapRun).toMatchObject({ status: 'ABORTED', executions: { ABORTED: 3 } });
    await engine.close();
  });

  it('[embedded-platform 38] the 25,000th event is the failure of an endless execution', async () => {
    const made = world();
    const run = await made.run(
      machine({
        A: { Type: 'Pass', Next: 'B' },
        B: { Type: 'Choice', Choices: [{ Condition: '{% false %}', Next: 'E' }], Default: 'A' },
        E: { Type: 'Succeed' },
      }),
    );
    expect(run.events).toHaveLength(25_000);
    expect(run.events.at(-1)).toMatchObject({ id: 25_000, type: 'ExecutionFailed' });
    expect(run.error).toBe('States.Runtime');
    expect(
      (await allEvents(made.engine, run.executionArn)).every((event, index) => event.id === index + 1),
    ).toBe(true);
    await made.close();
  });
});

export function distributed(fields: object, inner: object = {}) {
  return {
    Type: 'Map',
    ItemProcessor: {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      StartAt: 'I',
      States: { I: task({ Output: '{% $states.result.Payload %}', ...inner }) },
    },
    End: true,
    ...fields,
  } as never;
}
