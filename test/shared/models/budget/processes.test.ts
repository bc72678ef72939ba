import { afterEach, describe, expect, it } from 'vitest';
import { seededRng } from '#shared/determinism/rng.ts';
import { budgetOf, openBudget, sweepLeases } from '#shared/models/budget.ts';
import { reconcile, totalsOf } from '#shared/models/ledger.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { model, reply, request, scripted, testDoor } from '../support/door.ts';
import { memoryRecords } from '../support/memory-records.ts';
import { virtualClock } from '../support/virtual-clock.ts';

let world: TestRuntime;
afterEach(() => world.close());

const jobOf = (seed: number): string =>
  `test-workflow.${String(seed)
    .padStart(3, 'a')
    .replace(/\d/g, (d) => 'abcdefghij'[+d]!)
    .padEnd(26, 'a')}`;

describe('budgets shared by processes', () => {
  it('[model-inference 22] 50 callers in 5 processes never commit more than the cap, over 200 seeds', async () => {
    const clock = virtualClock(undefined, 4);
    world = await embeddedRuntime({ clock });
    for (let seed = 0; seed < 200; seed++) {
      const rng = seededRng('processes', seed);
      // A store each: the doors share nothing else.
      const runtime = { ...world.runtime, records: memoryRecords() };
      const jobId = jobOf(seed);
      const cap = 5000 + rng.below(40_000);
      await openBudget(runtime, jobId, { microUsd: cap });
      let committed = 0;
      const provider = scripted(async () => {
        await clock.sleep(100 + rng.below(3000));
        const output = rng.below(1000);
        committed += Math.ceil(0.25 * 600 + 2 * output);
        return reply('fine', 600, output);
      });
      const doors = Array.from({ length: 5 }, () =>
        testDoor(runtime, { provider, jobId, models: [model('m')] }),
      );
      await clock.run(async () => {
        await Promise.allSettled(
          Array.from({ length: 50 }, (_, n) =>
            doors[n % 5]!.infer(request(`${seed}-${n}`, { params: { maxOutputTokens: 1000 } })),
          ),
        );
        for (const { door } of doors) await door.release(jobId);
      });
      const { spent, remaining, leases } = await budgetOf(runtime, jobId);
      expect(committed).toBeLessThanOrEqual(cap);
      expect({ spent: spent.micros, sum: spent.micros + remaining.micros, leases }).toEqual({
        spent: committed,
        sum: cap,
        leases: 0,
      });
    }
  }, 90_000);

  it('sweeps the lease of a process that is gone: its open row lapses, its slack returns, its ledger agrees', async () => {
    const clock = virtualClock();
    world = await embeddedRuntime({ clock });
    const { runtime } = world;
    const jobId = jobOf(1);
    await openBudget(runtime, jobId, { microUsd: 10_000 });
    const hanging = testDoor(runtime, { jobId, provider: scripted(() => new Promise(() => undefined)) });
    void hanging.infer(request('gone')).catch(() => undefined);
    await clock.run(() => clock.sleep(10));
    expect((await totalsOf(runtime, jobId)).calls).toBe(1);
    // The process is frozen: nobody renews. Another one's clock goes on.
    const later = { ...runtime, clock: { ...clock, now: () => clock.now() + 160_000 } };
    expect(await sweepLeases(later, hanging.ctx.registry, jobId)).toBe(1);
    const { spent, remaining, leases } = await budgetOf(runtime, jobId);
    expect(leases).toBe(0);
    expect(spent.micros).toBeGreaterThan(2000);
    expect(spent.micros + remaining.micros).toBe(10_000);
    expect((await totalsOf(runtime, jobId)).microUsd).toBe(spent.micros);
    expect((await reconcile(runtime, jobId)).microUsd).toBe(spent.micros);
  });
});
