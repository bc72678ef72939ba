import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openSandbox, type Sandbox, type SandboxRequest } from '#shared/sandbox/index.ts';
import type { Runtime } from '#shared/task/runtime.ts';

const runtime = { kind: 'embedded', env: {} } as unknown as Runtime;

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await openSandbox(runtime);
  // The first use may have to make the snapshot.
  await sandbox.run(request({}));
}, 120_000);
afterAll(() => sandbox.close());

const request = (fields: Partial<SandboxRequest>): SandboxRequest => ({
  id: 'r',
  language: 'python',
  code: '',
  timeoutMs: 30_000,
  memoryMb: 256,
  seed: 1,
  ...fields,
});

vi.setConfig({ testTimeout: 120_000 });

describe('results', () => {
  test('a call has its value, its output and its time', async () => {
    const result = await sandbox.run(
      request({
        code: 'def f(a, b=2):\n    print("hello")\n    return a * b\n',
        setup: 'x = 20',
        call: 'f(x + 1)',
      }),
      { unitId: 'results' },
    );
    expect(result).toEqual({ id: 'r', ok: true, value: 42, stdout: 'hello\n', ms: expect.any(Number) });
  });

  test('without a call the value is that of the last expression', async () => {
    const result = await sandbox.run(request({ code: 'x = 4\nx + 1' }), { unitId: 'results' });
    expect(result).toMatchObject({ ok: true, value: 5 });
    expect(await sandbox.run(request({ code: 'x = 4' }), { unitId: 'results' })).toMatchObject({
      ok: true,
      value: null,
    });
  });

  test('[tool-library 3] a syntax error at line 3 names line 3; an import-time loop is Timeout, the next case is fine', async () => {
    const results = [];
    for await (const result of sandbox.runBatch(
      [
        request({ id: 'a', code: 'def f():\n    x = 1\n    return x +\n', call: 'f()' }),
        request({ id: 'b', code: 'while True:\n    pass\n', call: 'f()', timeoutMs: 300 }),
        request({ id: 'c', code: 'def f():\n    return 1\n', call: 'f()' }),
      ],
      { unitId: 'errors', workers: 1 },
    )) {
      results.push(result);
    }
    expect(results).toMatchObject([
      { id: 'a', ok: false, error: { type: 'SyntaxError', line: 3 } },
      { id: 'b', ok: false, error: { type: 'Timeout' } },
      { id: 'c', ok: true, value: 1 },
    ]);
  });
});
