import { afterEach, expect, it } from 'vitest';
import { budgetOf, openBudget, raiseBudget } from '#shared/models/budget.ts';
import { isError } from '#shared/task/errors.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { reply, request, scripted, testDoor } from '../support/door.ts';
import { virtualClock } from '../support/virtual-clock.ts';

let world: TestRuntime;
afterEach(() => world.close());

it('an endpoint that writes more than it was allowed is charged, closes the budget and raises the alarm', async () => {
  const clock = virtualClock();
  world = await embeddedRuntime({ clock });
  const { runtime, logs } = world;
  const provider = scripted(() => reply('long', 60, 5000));
  const { door, ctx, infer } = testDoor(runtime, { provider });
  await openBudget(runtime, ctx.jobId, { microUsd: 1_000_000 });
  expect((await clock.run(() => infer(request('a')))).trace.costMicros).toBe(15 + 10_000);
  await clock.run(() => door.release(ctx.jobId));
  const { closed, spent } = await budgetOf(runtime, ctx.jobId);
  expect(spent.micros).toBe(10_015);
  expect(closed).toContain('A call used 10015 micros');
  expect(logs.find(({ message }) => String(message).includes('the budget is closed'))).toMatchObject({
    level: 'error',
    jobId: ctx.jobId,
    unit: 'micros',
    used: 10_015,
  });
  const refused: unknown = await clock.run(() => infer(request('b'))).catch((error: unknown) => error);
  expect(isError(refused, 'BudgetExhausted')).toBe(true);
  // Who raises the cap has looked.
  await raiseBudget(runtime, ctx.jobId, { microUsd: 2_000_000 });
  expect((await clock.run(() => infer(request('b')))).result.status).toBe('ok');
  await clock.run(() => door.release(ctx.jobId));
});
