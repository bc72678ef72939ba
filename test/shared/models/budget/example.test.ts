import { afterEach, describe, expect, it } from 'vitest';
import { openBudget, raiseBudget, budgetOf } from '#shared/models/budget.ts';
import { reconcile } from '#shared/models/ledger.ts';
import { isError } from '#shared/task/errors.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { model, reply, request, scripted, testDoor, type TestDoor } from '../support/door.ts';
import { virtualClock } from '../support/virtual-clock.ts';

let world: TestRuntime;
afterEach(() => world.close());

// promptBound is min(contextTokens, bytes): a context of 2,000 with 1,000 of output would bound the prompt at 2,000, so
// the prompt itself is made to be 1,000 with its overheads: 64 + 16 + 920 bytes.
const prompt = (id: string): string => id.padEnd(920, '.');
const call = (index: number) =>
  request(`r${index}`, { messages: [{ role: 'user', content: prompt(`r${index}`) }] });

describe('the example of section 8', () => {
  it('[model-inference 21] of 50 callers under 10,000 µ$ exactly 11 finish for 8,250, and all 50 after the raise for 37,500', async () => {
    const clock = virtualClock();
    world = await embeddedRuntime({ clock });
    const { runtime } = world;
    let running = 0;
    let most = 0;
    const provider = scripted(async () => {
      most = Math.max(most, ++running);
      await clock.sleep(1000);
      running--;
      return reply('fine');
    });
    const test: TestDoor = testDoor(runtime, { provider, models: [model('m')] });
    const { jobId } = test.ctx;
    await openBudget(runtime, jobId, { microUsd: 10_000 });

    const all = async (indexes: number[]) =>
      clock.run(() => Promise.allSettled(indexes.map((index) => test.infer(call(index)))));
    const first = await all([...Array(50).keys()]);
    const done = first.flatMap((one, index) => (one.status === 'fulfilled' ? [index] : []));
    expect(done).toHaveLength(11);
    expect(most).toBe(4);
    for (const one of first)
      if (one.status === 'rejected') expect(isError(one.reason, 'BudgetExhausted')).toBe(true);
    await clock.run(() => test.door.release(jobId));
    expect((await clock.run(() => reconcile(runtime, jobId))).microUsd).toBe(8250);
    expect(await budgetOf(runtime, jobId)).toMatchObject({
      cap: { micros: 10_000 },
      remaining: { micros: 1750 },
      spent: { micros: 8250, calls: 11, tokens: 9900 },
      leases: 0,
    });

    await raiseBudget(runtime, jobId, { microUsd: 40_000 });
    const second = await all([...Array(50).keys()]);
    expect(second.every((one) => one.status === 'fulfilled')).toBe(true);
    expect(provider.calls).toHaveLength(50);
    await clock.run(() => test.door.release(jobId));
    const totals = await clock.run(() => reconcile(runtime, jobId));
    expect(totals).toMatchObject({ microUsd: 37_500, calls: 50, cacheHits: 11, savedMicros: 8250 });
    expect((await budgetOf(runtime, jobId)).spent.micros).toBe(37_500);
  });
});
