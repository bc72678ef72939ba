import { afterEach, describe, expect, it } from 'vitest';
import { runBatch } from '#shared/models/batch/run.ts';
import { readTraces } from '#shared/models/batch/traces.ts';
import { ledgerRows } from '#shared/models/ledger.ts';
import { ProviderError } from '#shared/models/types.ts';
import { readText, writeJsonl } from '#shared/storage/jsonl.ts';
import { isError } from '#shared/task/errors.ts';
import { jobStore } from '#shared/task/job-store.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { reply, request, scripted, testDoor, type Answer } from '#test/shared/models/support/door.ts';
import { virtualClock, type VirtualClock } from '#test/shared/models/support/virtual-clock.ts';

let world: TestRuntime;
let clock: VirtualClock;
afterEach(() => world.close());

async function batchOf(count: number, answer: Answer, ids = (n: number) => `r${n}`) {
  clock = virtualClock();
  world = await embeddedRuntime({ clock });
  const provider = scripted(answer);
  const test = testDoor(world.runtime, { provider });
  const { jobId } = test.ctx;
  const requests = await writeJsonl(
    world.runtime.artifacts,
    `jobs/${jobId}/work/requests.jsonl`,
    Array.from({ length: count }, (_, n) =>
      request(ids(n), { messages: [{ role: 'user', content: `q${n}` }] }),
    ),
  );
  const input = { requests, prefix: `jobs/${jobId}/work/0`, concurrency: 8 };
  const run = (patch = {}) => clock.run(() => runBatch(test.door, input, { ...test.ctx, ...patch }));
  const traces = () => readTraces(world.runtime.artifacts, input.prefix);
  return { provider, test, jobId, input, run, traces };
}

describe('the batch', () => {
  it('[model-inference 28] cancelled at 500, dispatches nothing after 2 s and has settled every row by 15 s', async () => {
    let cancelledAt = Infinity;
    const dispatched: number[] = [];
    const { jobId, run, provider } = await batchOf(2000, async ({ signal }) => {
      dispatched.push(clock.now());
      if (dispatched.length === 500) {
        cancelledAt = clock.now();
        await jobStore(world.runtime).requestCancel(jobId);
      }
      try {
        // Every 50th call would take a minute.
        await clock.sleep(dispatched.length % 50 === 0 ? 60_000 : 100, signal);
      } catch (cause) {
        throw new ProviderError('TIMEOUT', 'aborted', { billed: 'unknown', cause });
      }
      return reply('fine');
    });
    await jobStore(world.runtime).create({
      jobId,
      workflow: 'test-workflow',
      status: 'RUNNING',
      owner: 'o',
      attempt: 1,
      input: {},
      progress: { stage: '', done: 0, total: 0 },
      yields: {},
      cost: { microUsd: 0, calls: 0, cacheHits: 0, tokensIn: 0, tokensOut: 0 },
      createdAt: '2026-01-01T00:00:00.000Z',
    });
    const error: unknown = await run().catch((e: unknown) => e);
    expect(isError(error, 'Cancelled')).toBe(true);
    expect(provider.calls.length).toBeLessThan(2000);
    expect(Math.max(...dispatched)).toBeLessThanOrEqual(cancelledAt + 2000);
    expect(clock.now()).toBeLessThanOrEqual(cancelledAt + 15_000);
    for await (const row of ledgerRows(world.runtime.records, jobId)) expect(row.state).toBe('settled');
  });

  it('refuses a repeated id, naming both lines', async () => {
    const { run } = await batchOf(
      3,
      () => reply('fine'),
      (n) => (n === 2 ? 'r0' : `r${n}`),
    );
    const error = (await run().catch((e: unknown) => e)) as Error;
    expect(isError(error, 'InvalidInput')).toBe(true);
    expect(error.message).toContain('Lines 1 and 3');
  });

  it.each([
    ['a fault of the request', { params: { temperature: 9 } }, 'InvalidInput', '/params/temperature'],
    ['a model that there is not', { model: 'nobody' }, 'NotFound', '"nobody"'],
  ] as const)('names the line of %s', async (_name, patch, name, text) => {
    const { test, run, input } = await batchOf(3, () => reply('fine'));
    const requests = await writeJsonl(world.runtime.artifacts, `jobs/${test.ctx.jobId}/work/bad.jsonl`, [
      request('a'),
      { ...request('b'), ...patch },
    ]);
    input.requests = requests;
    const error = (await run().catch((e: unknown) => e)) as Error;
    expect(isError(error, name)).toBe(true);
    expect(error.message).toContain(`Line 2 of ${requests.key}`);
    expect(error.message).toContain(text);
  });

  it('returns done: false before the deadline and goes on where it was', async () => {
    const { run, provider, traces } = await batchOf(400, async () => {
      await clock.sleep(1000);
      return reply('fine');
    });
    const first = await run({ deadline: clock.now() + 40_000 });
    expect(first.done).toBe(false);
    expect((await traces()).size).toBe(0);
    const paid = provider.calls.length;
    expect(paid).toBeLessThan(400);
    const second = await run();
    expect(second).toMatchObject({ done: true, counts: { total: 400, ok: 400 } });
    expect(provider.calls.length).toBe(400);
    expect(Buffer.byteLength(JSON.stringify(second))).toBeLessThan(2048);
    // Those of the first run are there too: each request was called once, in whichever run.
    const all = [...(await traces()).values()];
    expect(all).toHaveLength(400);
    expect(all.filter(({ attempts, cached }) => attempts === (cached ? 0 : 1))).toHaveLength(400);
    expect(all.reduce((sum, { costMicros }) => sum + costMicros, 0)).toBe(second.costMicros);
  });

  it('tries failures that may pass once more, in their lines, and lists the rest as rejects', async () => {
    const tries = new Map<string, number>();
    const { run, traces } = await batchOf(40, ({ request: { id } }) => {
      const n = tries.get(id) ?? 0;
      tries.set(id, n + 1);
      if (id === 'r7' && n < 3) throw new ProviderError('UNAVAILABLE', 'down', { billed: 'no' });
      if (id === 'r9') throw new ProviderError('BAD_REQUEST', 'no', { billed: 'no' });
      return reply(`answer ${id}`);
    });
    const output = await run();
    expect(output.counts).toMatchObject({ total: 40, ok: 39, failed: 1 });
    const lines = (await readText(world.runtime.artifacts, output.results)).trim().split('\n');
    expect(JSON.parse(lines[7]!)).toMatchObject({ id: 'r7', status: 'ok', text: 'answer r7' });
    expect(JSON.parse(lines[7]!)).not.toHaveProperty('trace');
    const byId = await traces();
    expect([...byId.keys()]).toEqual(Array.from({ length: 40 }, (_, n) => `r${n}`));
    expect(byId.get('r7')).toMatchObject({ attempts: 4, cached: false });
    expect(new Set(byId.get('r7')!.attemptIds).size).toBe(4);
    expect(byId.get('r0')).toMatchObject({ attempts: 1, cached: false });
    const rejects = (await readText(world.runtime.artifacts, output.rejects)).trim().split('\n');
    expect(rejects.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { id: 'r9', stage: 'test', code: 'BAD_REQUEST' },
    ]);
  });
});
