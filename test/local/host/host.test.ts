import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { currentRuntime, type Runtime } from '#shared/task/runtime.ts';
import { platform, type WorkflowEntry } from '#shared/task/catalog.ts';
import {
  createFunctionHost,
  createTaskHost,
  type FunctionContext,
  functionCandidates,
  type HostedFunction,
  INVOKE_PAYLOAD_BYTES,
} from '#local/host/index.ts';
import { temporaryDirectory } from '#test/contract/support.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

type Body = (event: never, context: FunctionContext) => unknown;
function hostOf(functions: Record<string, Body | (Partial<HostedFunction> & { run: Body })>) {
  const hosted = Object.entries(functions).map(([name, value]) => {
    const { run, ...rest } = typeof value === 'function' ? { run: value } : value;
    return [name, { load: async () => run as never, ...rest }] as const;
  });
  const host = createFunctionHost({ graceMs: 50, functions: Object.fromEntries(hosted) });
  closers.push(host.close);
  return host;
}

describe('function host', () => {
  it('passes event and result through JSON', async () => {
    const shared = { list: [1] };
    const host = hostOf({
      echo: (event) => event,
      none: () => undefined,
      big: () => 10n,
      date: () => ({ at: new Date(0), gone: undefined }),
    });
    const result = await host.invoke('echo', shared);
    expect(result).toEqual(shared);
    expect(result).not.toBe(shared);
    expect(await host.invoke('none', {})).toBeNull();
    expect(await host.invoke('date', {})).toEqual({ at: '1970-01-01T00:00:00.000Z' });
    await expect(host.invoke('big', {})).rejects.toMatchObject({ name: 'Runtime.MarshalError' });
  });

  it('gives a Lambda context', async () => {
    const host = hostOf({
      f: {
        memoryMb: 512,
        timeoutSeconds: 10,
        run: (_, context) => ({ ...context, left: context.getRemainingTimeInMillis() }),
      },
    });
    const context = await host.invoke(
      'arn:aws:lambda:us-east-1:000000000000:function:f:live',
      {},
      { context: { extra: 1 } },
    );
    expect(context).toMatchObject({
      functionName: 'f',
      invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:f',
      memoryLimitInMB: '512',
      extra: 1,
    });
    expect((context as { left: number }).left).toBeLessThanOrEqual(10_000);
  });

  it('looks functions up by text, without qualifier, by bare name', async () => {
    expect(functionCandidates('arn:aws:lambda:us-east-1:1:function:f:3')).toEqual([
      'arn:aws:lambda:us-east-1:1:function:f:3',
      'arn:aws:lambda:us-east-1:1:function:f',
      'f',
    ]);
    expect(functionCandidates('f:$LATEST')).toEqual(['f:$LATEST', 'f']);
    const host = hostOf({ f: () => 1 });
    expect([host.has('f:live'), host.has('g'), host.has('constructor')]).toEqual([true, false, false]);
    await expect(host.invoke('g', {})).rejects.toMatchObject({ name: 'Lambda.ResourceNotFoundException' });
  });

  it('keeps name and message of what is thrown', async () => {
    class Busy extends Error {
      override name = 'Busy';
    }
    const host = hostOf({
      error: () => Promise.reject(new Busy('try later')),
      text: () => {
        throw 'just text';
      },
    });
    await expect(host.invoke('error', {})).rejects.toMatchObject({ name: 'Busy', message: 'try later' });
    await expect(host.invoke('text', {})).rejects.toMatchObject({ name: 'string', message: 'just text' });
    expect(host.stats()).toMatchObject({ invocations: 2, failures: 2, coldStarts: 2 });
  });

  it('limits payloads: 256 KiB from the engine, 6 MB otherwise', async () => {
    const host = hostOf({
      echo: (event) => event,
      large: () => 'x'.repeat(300_000),
      huge: () => 'x'.repeat(7_000_000),
    });
    await expect(host.invoke('echo', 'x'.repeat(300_000))).rejects.toMatchObject({
      name: 'States.DataLimitExceeded',
    });
    await expect(host.invoke('large', {})).rejects.toMatchObject({ name: 'States.DataLimitExceeded' });
    const direct = { maxPayloadBytes: INVOKE_PAYLOAD_BYTES };
    expect(await host.invoke('large', {}, direct)).toHaveLength(300_000);
    await expect(host.invoke('huge', {}, direct)).rejects.toMatchObject({
      name: 'Function.ResponseSizeTooLarge',
    });
  });

  it('times out, aborts the signal, and frees the place although the task goes on', async () => {
    let aborted = false;
    const host = hostOf({
      slow: {
        maxConcurrency: 1,
        run: (event: never, { signal }) => {
          if ((event as { quick?: boolean }).quick) return 'quick';
          signal.addEventListener('abort', () => (aborted = true));
          return new Promise(() => {});
        },
      },
    });
    await expect(host.invoke('slow', {}, { timeoutMs: 30 })).rejects.toMatchObject({
      name: 'Sandbox.Timedout',
      message: expect.stringContaining('timed out after 0.03 seconds') as string,
    });
    expect(aborted).toBe(true);
    expect(await host.invoke('slow', { quick: true })).toBe('quick');
  });

  it('stops with the caller’s signal, running or waiting', async () => {
    const host = hostOf({
      wait: {
        maxConcurrency: 1,
        run: (_, { signal }) => new Promise((resolve) => signal.addEventListener('abort', resolve)),
      },
    });
    const [first, second] = [new AbortController(), new AbortController()];
    const calls = [first, second].map(({ signal }) => host.invoke('wait', {}, { signal }));
    const outcomes = Promise.allSettled(calls);
    second.abort(new Error('not needed'));
    first.abort(new Error('stopped'));
    expect(
      (await outcomes).map((outcome) => (outcome as PromiseRejectedResult).reason as Error),
    ).toMatchObject([{ message: 'stopped' }, { message: 'not needed' }]);
  });

  it('keeps to the cap, first come, first served', async () => {
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const host = hostOf({
      f: {
        maxConcurrency: 2,
        run: async (event: number & never) => {
          order.push(event);
          most = Math.max(most, ++running);
          await new Promise((resolve) => setTimeout(resolve, 2));
          running--;
        },
      },
    });
    await Promise.all(Array.from({ length: 20 }, (_, n) => host.invoke('f', n)));
    expect(most).toBe(2);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  it('closes: what runs is stopped, what comes is refused', async () => {
    const host = hostOf({ f: () => new Promise(() => {}) });
    const running = host.invoke('f', {});
    const outcome = expect(running).rejects.toMatchObject({ name: 'Runtime.Stopped' });
    await new Promise((resolve) => setTimeout(resolve, 10));
    await host.close();
    await outcome;
    await expect(host.invoke('f', {})).rejects.toMatchObject({ name: 'Runtime.Stopped' });
  });

  it('[embedded-platform 43] a task with an unhandled rejection fails alone; the next call succeeds', async () => {
    const child = fileURLToPath(new URL('./child.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [child]);
    expect(JSON.parse(stdout)).toEqual({
      outcomes: {
        rejection: 'Runtime.UnhandledPromiseRejection: Error: nobody catches this',
        timer: 'Runtime.UnhandledPromiseRejection: TypeError: from a timer',
        exception: 'RangeError: thrown apart',
        exit: 'Runtime.ExitError: The task called process.exit(3), which is refused.',
        caught: 'Runtime.ExitError: The task called process.exit(4), which is refused.',
        late: 'done',
        fine: { n: 1 },
        after: 'still here',
      },
      late: ['late: too late'],
    });
  });
});

describe('task host', () => {
  it('imports catalogued handlers and gives them the ports', async () => {
    const directory = await temporaryDirectory();
    closers.push(directory.remove);
    const write = async (path: string, text: string): Promise<void> => {
      await mkdir(join(directory.path, path, '..'), { recursive: true });
      await writeFile(join(directory.path, path), text);
    };
    await write(
      'made-up/tasks/gate.ts',
      'export const handler = async (event: object, context: object) => ({ event, name: (context as { functionName: string }).functionName });',
    );
    await write('made-up/tasks/empty.ts', 'export const other = 1;');
    await write('made-up/tasks/broken.ts', 'import "./not-there.ts";');
    await write('triggers/begin.ts', 'export const handler = async () => "begun";');
    const task = (entry: string) => ({ entry, memoryMb: 256, timeoutSeconds: 5, capabilities: [] });
    const entry = {
      name: 'made-up',
      tasks: {
        gate: task('tasks/gate.ts'),
        empty: task('tasks/empty.ts'),
        broken: task('tasks/broken.ts'),
        begin: platform.begin,
      },
    } as unknown as WorkflowEntry<never>;
    const env = { AGENTMILL_STAGE: 'test' };
    const runtime = { kind: 'embedded', env, writeLog: () => {} } as unknown as Runtime;
    const host = createTaskHost({
      catalog: [entry],
      runtime,
      modulesRoot: directory.path,
      extraFunctions: { env: (async () => (await currentRuntime()).env) as never },
    });
    closers.unshift(host.close);
    expect(await host.invoke('agentmill-made-up-gate', { a: 1 })).toEqual({
      event: { a: 1 },
      name: 'agentmill-made-up-gate',
    });
    expect(await host.invoke('agentmill-made-up-begin', {})).toBe('begun');
    expect(await host.invoke('env', {})).toEqual(env);
    await expect(host.invoke('agentmill-made-up-empty', {})).rejects.toMatchObject({
      name: 'Runtime.HandlerNotFound',
    });
    await expect(host.invoke('agentmill-made-up-broken', {})).rejects.toMatchObject({
      name: 'Runtime.ImportModuleError',
    });
    expect(Object.keys(host.stats().importMs)).toContain('agentmill-made-up-gate');
  });
});
