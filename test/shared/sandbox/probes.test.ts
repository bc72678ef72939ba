import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openSandbox, type Sandbox, type SandboxRequest } from '#shared/sandbox/index.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { probes } from './probes.ts';

const outside = mkdtempSync(join(tmpdir(), 'agentmill-outside-'));
const SECRET = 'AGENTMILL_TEST_SECRET_OF_THE_PARENT';
process.env[SECRET] = 'secret';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await openSandbox({ kind: 'embedded', env: {} } as unknown as Runtime);
  // The first use may have to make the snapshot.
  await sandbox.run(CLEAN);
}, 120_000);
afterAll(async () => {
  await sandbox.close();
  Reflect.deleteProperty(process.env, SECRET);
  rmSync(outside, { recursive: true });
});
afterEach(() => {
  expect(readdirSync(outside)).toEqual([]);
  expect(existsSync('/tmp/escaped-from-the-sandbox')).toBe(false);
});

const request = (fields: Partial<SandboxRequest>): SandboxRequest => ({
  id: 'probe',
  language: 'python',
  code: '',
  timeoutMs: 30_000,
  memoryMb: 256,
  seed: 1,
  ...fields,
});

/** Uses what probes try to break; its value is the same after each. */
const CLEAN = request({
  id: 'clean',
  code: `import json, os, re, decimal
def clean(x):
    text = json.dumps({"x": [x, len("abc"), str(decimal.Decimal(1) / 3)]})
    return text + re.sub("a+", "b", "caat") + str(sorted(os.listdir("/tmp"))) + str(os.environ["HOME"])
`,
  call: 'clean(1)',
});

for (const { number, title, code, expected, ...limits } of probes(outside, SECRET)) {
  test(`[tool-library 4] probe ${number} ${title}`, async () => {
    const result = await sandbox.run(request({ code, ...limits }), { unitId: 'probes' });
    const shown = result.ok ? JSON.stringify(result.value) : `${result.error.type}: ${result.error.message}`;
    expect(shown).not.toContain('ESCAPED');
    expect(shown).toMatch(expected);
    const clean = await sandbox.run(CLEAN, { unitId: 'probes' });
    expect(clean).toMatchObject({
      ok: true,
      value: `{"x": [1, 3, "0.3333333333333333333333333333"]}cbt[]/home/python`,
    });
  }, 120_000);
}
