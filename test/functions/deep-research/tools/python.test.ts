import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runPython } from '#functions/deep-research/tools/python.ts';
import { openSandbox, type Sandbox } from '#shared/sandbox/index.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

let world: TestRuntime;
let sandbox: Sandbox;
beforeAll(async () => {
  world = await embeddedRuntime();
  sandbox = await openSandbox(world.runtime, { workers: 1 });
});
afterAll(async () => {
  await sandbox.close();
  await world.close();
});

let k = 0;
const run = (code: string, timeoutMs = 20_000) =>
  runPython(sandbox, code, { unitId: `test.${k++}`, seed: 7, timeoutMs });

describe('code_interpreter', () => {
  it('[deep-research 15] refuses imports that reach out, stops endless loops, keeps no variables', async () => {
    expect(await run('import math\nimport subprocess\nprint(1)')).toMatchObject({
      code: 'refused_import',
      text: 'Import of "subprocess" is not allowed.',
    });
    const hidden = 'def f():\n  from os import path\n  return path\n1';
    expect((await run(hidden)).code).toBe('refused_import');
    expect(await run('while True:\n    pass', 1000)).toMatchObject({
      code: 'timeout',
      text: 'Stopped after 1 s.',
    });
    expect((await run('x = 41\nx + 1')).text).toBe('42');
    expect(await run('x')).toMatchObject({
      code: 'error',
      text: expect.stringMatching(/^NameError in line 1: /),
    });
  });

  it('tells output, the last value and errors with their line', async () => {
    expect((await run('print("a")\n(2 ** 70, "b")')).text).toBe(`a\n(${2n ** 70n}, b)`);
    expect((await run('a = 1\nb = 2\na / (b - 2)')).text).toMatch(/^ZeroDivisionError in line 3: /);
  });
});
