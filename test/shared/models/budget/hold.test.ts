import { afterEach, describe, expect, it } from 'vitest';
import { budgetOf, openBudget } from '#shared/models/budget.ts';
import { dropHold, standingHold } from '#shared/models/budget/hold.ts';
import { reconcile } from '#shared/models/ledger.ts';
import type { ModelEntry } from '#shared/models/types.ts';
import { isError } from '#shared/task/errors.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { model, reply, request, scripted, testDoor } from '../support/door.ts';
import { virtualClock } from '../support/virtual-clock.ts';

let world: TestRuntime;
afterEach(() => world.close());

describe('standing holds', () => {
  it('are kept for their own call whatever the others use, and come back when they are dropped', async () => {
    const clock = virtualClock();
    world = await embeddedRuntime({ clock });
    const { runtime } = world;
    const entry = model('m');
    const entryOf = (): ModelEntry => test.ctx.registry.models.get('m')!;
    const test = testDoor(runtime, { provider: scripted(async () => reply('fine')), models: [entry] });
    const { jobId, registry } = test.ctx;
    await openBudget(runtime, jobId, { calls: 5 });
    const worst = { prompt: 1000, output: 100 };
    for (const id of ['final-a', 'final-b'])
      expect(await standingHold(runtime, jobId, id, entryOf(), worst)).toBe(true);
    // Asked again, it is the same hold.
    expect(await standingHold(runtime, jobId, 'final-a', entryOf(), worst)).toBe(true);

    const ask = (id: string, hold?: string) =>
      clock.run(() =>
        test.infer(request(id, { messages: [{ role: 'user', content: id }] }), hold ? { hold } : {}),
      );
    const others = await Promise.allSettled([0, 1, 2, 3].map((k) => ask(`other ${k}`)));
    expect(others.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    for (const one of others)
      if (one.status === 'rejected') expect(isError(one.reason, 'BudgetExhausted')).toBe(true);
    expect(await standingHold(runtime, jobId, 'final-c', entryOf(), worst)).toBe(false);
    expect((await ask('last', 'final-a')).result.status).toBe('ok');
    await expect(ask('once more', 'final-a')).rejects.toMatchObject({ name: 'BudgetExhausted' });
    await dropHold(runtime, registry, jobId, 'final-b');
    expect((await ask('freed')).result.status).toBe('ok');
    await clock.run(() => test.door.release(jobId));
    expect(await clock.run(() => reconcile(runtime, jobId))).toMatchObject({ calls: 5 });
    expect(await budgetOf(runtime, jobId)).toMatchObject({
      remaining: { calls: 0 },
      spent: { calls: 5 },
      leases: 0,
    });
  });
});
