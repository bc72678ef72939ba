import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, expect, test } from 'vitest';
import { bundleOptions } from '#functions/bundling.ts';
import { copyPackages } from '#functions/file-packages.ts';
import { handler } from '#functions/sandbox/run.ts';
import { services } from '#functions/services.ts';
import { batches, openRemote, type RemoteReply, type RemoteRequest } from '#shared/sandbox/remote.ts';
import type { SandboxRequest } from '#shared/sandbox/types.ts';

const request = (id: string, fields: Partial<SandboxRequest> = {}): SandboxRequest => ({
  id,
  language: 'python',
  code: 'def f(x):\n    return x + 1\n',
  call: 'f(1)',
  timeoutMs: 3_000,
  memoryMb: 128,
  seed: 1,
  ...fields,
});

const outdir = mkdtempSync(join(tmpdir(), 'agentmill-sandbox-bundle-'));
afterAll(() => rmSync(outdir, { recursive: true }));

test('the bundle that is deployed runs Python in a child of its own, and stays small', async () => {
  const built = await build(bundleOptions(services.sandbox, outdir));
  copyPackages(services.sandbox.packages, outdir);
  expect(
    built.metafile!.outputs[Object.keys(built.metafile!.outputs).find((name) => name.endsWith('index.mjs'))!]!
      .bytes,
  ).toBeLessThan(1e6);
  const bundle = (await import(pathToFileURL(join(outdir, 'index.mjs')).href)) as { handler: typeof handler };
  const reply = await bundle.handler({
    unitId: 'u',
    requests: [
      request('a'),
      request('b', { call: 'f("x")' }),
      request('c', { call: 'open("/etc/passwd").read()' }),
    ],
  });
  expect(reply.results).toMatchObject([
    { id: 'a', ok: true, value: 2 },
    { id: 'b', ok: false, error: { type: 'TypeError', line: 2 } },
    { id: 'c', ok: false, error: { type: 'FileNotFoundError' } },
  ]);
});

test('an event that is none names what is wrong', async () => {
  await expect(handler({ unitId: 'u', requests: [{ id: 1 }] })).rejects.toThrow(/requests\[0\]\.id/);
});

test('a task calls the function in batches and gets results in order', async () => {
  const seen: RemoteRequest[] = [];
  const sandbox = openRemote({ AGENTMILL_SANDBOX_FUNCTION: 'sandbox' }, async (payload) => {
    const event = JSON.parse(Buffer.from(payload).toString('utf8')) as RemoteRequest;
    seen.push(event);
    const results = event.requests.map(({ id }) => ({ id, ok: true as const, value: id, stdout: '', ms: 1 }));
    return Buffer.from(JSON.stringify({ results } satisfies RemoteReply));
  });
  const requests = Array.from({ length: 60 }, (_, index) => request(String(index)));
  const ids: string[] = [];
  for await (const result of sandbox.runBatch(requests, { unitId: 'cluster-7' })) ids.push(result.id);
  expect(ids).toEqual(requests.map(({ id }) => id));
  expect(seen.length).toBeGreaterThan(1);
  expect(new Set(seen.map(({ unitId }) => unitId))).toEqual(new Set(['cluster-7']));
  expect(await sandbox.run(request('x', { memoryMb: 1 }))).toMatchObject({
    ok: false,
    error: { type: 'InvalidInput' },
  });
});

test('batches stay below 5 MB each way and below what one invocation may take', async () => {
  const code = `x = "${'a'.repeat(60_000)}"`;
  const requests = Array.from({ length: 100 }, (_, index) =>
    request(String(index), { code, timeoutMs: 20_000 }),
  );
  let count = 0;
  for await (const batch of batches(requests)) {
    count += batch.length;
    expect(JSON.stringify(batch).length).toBeLessThan(5 * 1024 * 1024);
    expect(batch.length * 20_000).toBeLessThanOrEqual(240_000);
  }
  expect(count).toBe(100);
});

test('without the function named there is no sandbox on AWS', () => {
  expect(() => openRemote({})).toThrow(/AGENTMILL_SANDBOX_FUNCTION/);
});
