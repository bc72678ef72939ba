import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { openInterpreter, openSandbox } from '#shared/sandbox/index.ts';
import { confinement } from '#shared/sandbox/launch.ts';
import { PARTS } from '#shared/sandbox/parts.ts';
import { isWhole, snapshotFor } from '#shared/sandbox/snapshot.ts';
import { zipOf } from './zip.ts';
import { collect, embedded, request } from './support.ts';

vi.setConfig({ testTimeout: 180_000 });

const folder = mkdtempSync(join(tmpdir(), 'agentmill-sandbox-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Processes of the sandbox that this process started. */
function children(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const parent = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
        return (
          parent === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('sandbox-child')
        );
      } catch {
        return false;
      }
    });
}

test.skipIf(!existsSync('/proc/self/status'))(
  'children killed from outside lose nothing: what was under way runs again',
  async () => {
    const sandbox = await openSandbox(embedded(), { workers: 2 });
    try {
      let killed = 0;
      const results = [];
      const requests = Array.from({ length: 120 }, (_, index) =>
        request({
          id: String(index),
          code: 'def f(x):\n    return sum(range(20_000)) * 0 + x\n',
          call: `f(${index})`,
        }),
      );
      for await (const result of sandbox.runBatch(requests, { unitId: 'killed' })) {
        results.push(result);
        if (results.length === 10 || results.length === 60) {
          for (const pid of children()) {
            process.kill(pid, 'SIGKILL');
            killed++;
          }
        }
      }
      expect(killed).toBeGreaterThan(0);
      expect(results.map((result) => result.ok && result.value)).toEqual(requests.map((_, index) => index));
    } finally {
      await sandbox.close();
    }
    expect(children()).toEqual([]);
  },
);

test('a cancelled run ends its child; the others of the batch come all the same', async () => {
  const sandbox = await openSandbox(embedded(), { workers: 1 });
  try {
    const stop = new AbortController();
    const endless = sandbox.run(request({ code: 'while True: pass', timeoutMs: 120_000 }), {
      unitId: 'u',
      signal: stop.signal,
    });
    const after = sandbox.run(request({ code: '1' }), { unitId: 'u' });
    setTimeout(() => stop.abort(), 300);
    await expect(endless).rejects.toMatchObject({ name: 'Cancelled' });
    expect(await after).toMatchObject({ ok: true, value: 1 });
  } finally {
    await sandbox.close();
  }
});

test('more units than places take turns', async () => {
  const sandbox = await openSandbox(embedded(), { workers: 1 });
  try {
    const results = await Promise.all(
      ['a', 'b', 'c'].map((unitId) =>
        collect(
          sandbox.runBatch([request({ id: unitId, code: '1' }), request({ id: unitId, code: '2' })], {
            unitId,
          }),
        ),
      ),
    );
    expect(results.flat().map((result) => result.ok && result.value)).toEqual([1, 2, 1, 2, 1, 2]);
  } finally {
    await sandbox.close();
  }
});

test.skipIf(!confinement().endsWithParent)(
  'a child in an endless loop ends with its killed parent',
  async () => {
    const program = `
    import { openSandbox } from '#shared/sandbox/index.ts';
    const sandbox = await openSandbox({ kind: 'embedded', env: {} });
    await sandbox.run({ id: 'a', language: 'python', code: '1', timeoutMs: 60000, memoryMb: 128, seed: 1 }, { unitId: 'u' });
    void sandbox.run({ id: 'a', language: 'python', code: 'while True: pass', timeoutMs: 120000, memoryMb: 128, seed: 1 }, { unitId: 'u' });
    setTimeout(() => console.log('running'), 500);
  `;
    const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => parent.stdout.once('data', resolve));
    const mine = (): string =>
      execFileSync('ps', ['-eo', 'pid,ppid,args'], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => line.includes('sandbox-child') && pids.has(Number(line.trim().split(/\s+/)[0])))
        .join('\n');
    const pids = new Set(
      execFileSync('ps', ['-eo', 'pid,ppid'], { encoding: 'utf8' })
        .split('\n')
        .map((line) => line.trim().split(/\s+/).map(Number))
        .filter(([, ppid]) => ppid === parent.pid)
        .map(([pid]) => pid!),
    );
    expect(mine()).toContain('sandbox-child');
    parent.kill('SIGKILL');
    await vi.waitFor(() => expect(mine()).toBe(''), { timeout: 60_000 });
  },
);

test('snapshots made by several at once and one that is damaged end as one whole one', async () => {
  const env = { AGENTMILL_SANDBOX_CACHE: join(folder, 'cache') };
  mkdirSync(env.AGENTMILL_SANDBOX_CACHE);
  const [first, second] = await Promise.all([snapshotFor(env, [], []), snapshotFor(env, [], [])]);
  expect(second).toBe(first);
  expect(readdirSync(env.AGENTMILL_SANDBOX_CACHE)).toHaveLength(1);
  const heap = join(first, PARTS.heap);
  const bytes = readFileSync(heap);
  bytes[bytes.length >> 1]! ^= 0xff;
  writeFileSync(heap, bytes);
  // Another process looks at the files anew.
  const program = `
    import { openSandbox } from '#shared/sandbox/index.ts';
    const sandbox = await openSandbox({ kind: 'embedded', env: ${JSON.stringify(env)} });
    console.log(JSON.stringify(await sandbox.run({ id: 'a', language: 'python', code: '6 * 7', timeoutMs: 60000, memoryMb: 128, seed: 1 })));
    await sandbox.close();
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', program], {
    encoding: 'utf8',
  });
  // Nothing of how the child's modules are made ready is told to whoever runs this.
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, value: 42 });
  expect(readFileSync(heap).equals(bytes)).toBe(false);
  expect(readdirSync(env.AGENTMILL_SANDBOX_CACHE)).toHaveLength(1);
});

test('of a snapshot, any file that is damaged, cut short or gone is seen', async () => {
  const env = { AGENTMILL_SANDBOX_CACHE: join(folder, 'cache') };
  const whole = await snapshotFor(env, [], []);
  expect(isWhole(whole)).toBe(true);
  const copy = join(folder, 'copy');
  const files = readdirSync(whole, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(whole, name)).isFile(),
  );
  expect(files).toEqual(expect.arrayContaining([PARTS.heap, PARTS.program, PARTS.code, PARTS.hashes]));
  expect(files).toContain(join(PARTS.modules, 'sandbox-child.mjs'));
  for (const name of files) {
    cpSync(whole, copy, { recursive: true });
    expect(isWhole(copy)).toBe(true);
    const file = join(copy, name);
    truncateSync(file, statSync(file).size - 1);
    expect(isWhole(copy)).toBe(false);
    rmSync(file);
    expect(isWhole(copy)).toBe(false);
    rmSync(copy, { recursive: true });
  }
});

test('packages come from wheels in a folder; without them they are PackageUnavailable', async () => {
  const wheels = join(folder, 'wheels');
  mkdirSync(wheels);
  writeFileSync(
    join(wheels, 'mpmath-1.3.0-py3-none-any.whl'),
    zipOf({
      'mpmath/__init__.py': 'from .number import mpf\n',
      'mpmath/number.py':
        'class mpf:\n    def __init__(self, value):\n        self.value = value\n    def __str__(self):\n        return str(self.value)\n',
      'mpmath-1.3.0.dist-info/METADATA': 'Metadata-Version: 2.1\nName: mpmath\nVersion: 1.3.0\n',
    }),
  );
  const code = 'import mpmath\nmpmath.mpf(3)';
  const sandbox = await openSandbox(
    embedded({ AGENTMILL_SANDBOX_WHEELS: wheels, AGENTMILL_SANDBOX_CACHE: join(folder, 'cache') }),
    { workers: 1 },
  );
  try {
    expect(
      await collect(
        sandbox.runBatch(
          [
            request({ id: '1', code, packages: ['mpmath'] }),
            request({ id: '2', code, packages: ['sympy'] }),
            request({ id: '3', code }),
            request({ id: '4', code: '4' }),
          ],
          { unitId: 'packages' },
        ),
      ),
    ).toMatchObject([
      { id: '1', ok: true, value: { $: 'expr', v: '3' } },
      {
        id: '2',
        ok: false,
        error: { type: 'PackageUnavailable', message: expect.stringMatching(/AGENTMILL_SANDBOX_WHEELS/) },
      },
      { id: '3', ok: false, error: { type: 'PackageUnavailable' } },
      { id: '4', ok: true, value: 4 },
    ]);
  } finally {
    await sandbox.close();
  }
});

test("our own program's functions are called with JSON, in several processes; its errors are Defects", async () => {
  const interpreter = await openInterpreter(
    'import ast\ndef names(code):\n    return sorted(node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name))\ndef end():\n    import os\n    os._exit(1)\n',
    { processes: 2 },
  );
  try {
    expect(await Promise.all(['a + b', 'c', 'd'].map((code) => interpreter.call('names', code)))).toEqual([
      ['a', 'b'],
      ['c'],
      ['d'],
    ]);
    await expect(interpreter.call('names', 'a +')).rejects.toThrow(/names\(\) failed: SyntaxError/);
    await expect(interpreter.call('missing')).rejects.toThrow(/KeyError/);
    await expect(interpreter.call('end')).rejects.toMatchObject({ name: 'Defect' });
    expect(await interpreter.call('names', 'x')).toEqual(['x']);
  } finally {
    await interpreter.close();
  }
});
