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

/** At most what a call here reserves: 1,000 tokens out and a short prompt. */
const WORST_MICROS = 2030;

const jobOf = (seed: number): string =>
  `test-workflow.${String(seed)
    .padStart(3, 'a')
    .replace(/\d/g, (d) => 'abcdefghij'[+d]!)
    .padEnd(26, 'a')}`;

describe('budgets shared by processes', () => {
  it('[model-inference 22] 50 callers in 5 processes never commit more than the cap, over 200 seeds', async () => {
    const clock = virtualClock(undefined, 4);
    world = await embeddedRuntime({ clock });
    let tight = 0;
    for (let seed = 0; seed < 200; seed++) {
      const rng = seededRng('processes', seed);
      // A store each: the doors share nothing else.
      const runtime = { ...world.runtime, records: memoryRecords() };
      const jobId = jobOf(seed);
      // Every tenth budget pays for most callers; the others are quicker and tighter.
      const cap = 5000 + rng.below(seed % 10 === 0 ? 40_000 : 10_000);
      await openBudget(runtime, jobId, { microUsd: cap });
      let committed = 0;
      let refused = 0;
      const provider = scripted(async () => {
        await clock.sleep(100 + rng.below(3000));
        const output = rng.below(1000);
        committed += 15 + 2 * output;
        return reply('fine', 60, output);
      });
      const doors = Array.from({ length: 5 }, () =>
        testDoor(runtime, { provider, jobId, models: [model('m')] }),
      );
      await clock.run(async () => {
        const settled = await Promise.allSettled(
          Array.from({ length: 50 }, (_, n) =>
            doors[n % 5]!.infer(request(`${seed}-${n}`, { params: { maxOutputTokens: 1000 } })),
          ),
        );
        refused = settled.filter(({ status }) => status === 'rejected').length;
        for (const { door } of doors) await door.release(jobId);
      });
      const { spent, remaining, leases, closed } = await budgetOf(runtime, jobId);
      expect(closed).toBeUndefined();
      expect(committed).toBeLessThanOrEqual(cap);
      // Nobody is refused while a call's worst case is still there.
      if (refused > 0) tight++;
      if (refused > 0) expect(committed).toBeGreaterThan(cap - WORST_MICROS);
      expect({ spent: spent.micros, sum: spent.micros + remaining.micros, leases }).toEqual({
        spent: committed,
        sum: cap,
        leases: 0,
      });
    }
    expect(tight).toBeGreaterThan(150);
  }, 400_000);

  it('sweeps the lease of a process that is gone: its open row lapses, its slack returns, its ledger agrees', async () => {
    const clock = virtualClock();
    world = await embeddedRuntime({ clock });
    const { runtime } = world;
    const jobId = jobOf(1);
    await openBudget(runtime, jobId, { microUsd: 10_000 });
    const called = Promise.withResolvers<void>();
    const provider = scripted(() => {
      called.resolve();
      return new Promise(() => undefined);
    });
    const hanging = testDoor(runtime, { jobId, provider });
    void hanging.infer(request('gone')).catch(() => undefined);
    await clock.run(() => called.promise);
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
