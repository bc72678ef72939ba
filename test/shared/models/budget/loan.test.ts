import { afterEach, describe, expect, it } from 'vitest';
import { budgetOf, openBudget } from '#shared/models/budget.ts';
import { lendBudget, settleLoan } from '#shared/models/budget/loan.ts';
import { reconcile } from '#shared/models/ledger.ts';
import { isError } from '#shared/task/errors.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { reply, request, scripted, testDoor } from '../support/door.ts';

const LENDER = 'test-workflow.aaaaaaaaaaaaaaaaaaaaaaaaaa';
const BORROWER = 'other-workflow.bbbbbbbbbbbbbbbbbbbbbbbbbb';

let world: TestRuntime;
afterEach(() => world.close());

describe('a budget lent to another job', () => {
  it('is all that is left; what the other job spent cannot be spent again, the rest comes back', async () => {
    world = await embeddedRuntime();
    const { runtime } = world;
    const provider = scripted(() => reply('fine'));
    // A call costs 600 * 0.25 + 300 * 2 = 750 micro-dollars.
    const lender = testDoor(runtime, { provider, jobId: LENDER });
    const borrower = testDoor(runtime, { provider, jobId: BORROWER });
    await openBudget(runtime, LENDER, { microUsd: 20_000, calls: 20 });
    await lender.infer(request('one'));
    await lender.door.close();
    await reconcile(runtime, LENDER);

    const caps = await lendBudget(runtime, LENDER, BORROWER);
    expect(caps).toEqual({ microUsd: 19_250, calls: 19 });
    expect(await lendBudget(runtime, LENDER, BORROWER)).toEqual(caps);
    // Nothing is left here while the other works.
    const poor = testDoor(runtime, { provider, jobId: LENDER });
    const refused = await poor.infer(request('two')).catch((error: unknown) => error);
    expect(isError(refused, 'BudgetExhausted')).toBe(true);
    await poor.door.close();

    await openBudget(runtime, BORROWER, caps!);
    for (const id of ['a', 'b', 'c']) await borrower.infer(request(id));
    await borrower.door.close();
    await reconcile(runtime, BORROWER);
    for (let times = 0; times < 2; times++) {
      await settleLoan(runtime, LENDER, BORROWER);
      expect((await budgetOf(runtime, LENDER)).remaining).toMatchObject({
        micros: 19_250 - 3 * 750,
        calls: 16,
      });
    }
    // The totals of each job stay its own.
    expect(await reconcile(runtime, LENDER)).toMatchObject({ microUsd: 750, calls: 1 });
    expect((await budgetOf(runtime, LENDER)).remaining).toMatchObject({ micros: 17_000, calls: 16 });
  });

  it('is no cap where there is none', async () => {
    world = await embeddedRuntime();
    expect(await lendBudget(world.runtime, LENDER, BORROWER)).toBeUndefined();
    await settleLoan(world.runtime, LENDER, BORROWER);
  });
});
