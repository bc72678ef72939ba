import { afterEach, describe, expect, it } from 'vitest';
import { budgetKey } from '#shared/models/budget/item.ts';
import { budgetOf, openBudget } from '#shared/models/budget.ts';
import { closeDoor, infer } from '#shared/models/door.ts';
import { exportLedger, ledgerRows, reconcile } from '#shared/models/ledger.ts';
import { parseRegistry } from '#shared/models/registry.ts';
import { readJsonl } from '#shared/storage/jsonl.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { reply, request, scripted, testDoor } from '../support/door.ts';

const JOB = 'test-workflow.aaaaaaaaaaaaaaaaaaaaaaaaaa';
let world: TestRuntime;
afterEach(() => world.close());

/** Ten calls of 750 µ$, two of them asked twice, their leases returned. */
async function spent(): Promise<void> {
  world = await embeddedRuntime();
  await openBudget(world.runtime, JOB, { microUsd: 1_000_000, calls: 100 });
  const { door, infer: ask } = testDoor(world.runtime, { provider: scripted(() => reply('fine')) });
  for (let n = 0; n < 12; n++)
    await ask(request(`r${n % 10}`, n % 2 ? { role: { name: 'b', version: '1' } } : {}));
  await door.close();
}
const mismatches = () => world.logs.filter((line) => 'LedgerMismatch' in line);

describe('reconcile', () => {
  it('leaves matching books alone', async () => {
    await spent();
    const totals = await reconcile(world.runtime, JOB);
    expect(totals).toMatchObject({
      microUsd: 7500,
      calls: 10,
      cacheHits: 2,
      tokensIn: 6000,
      tokensOut: 3000,
    });
    expect(Object.values(totals.byRole).reduce((sum, role) => sum + role.microUsd, 0)).toBe(7500);
    expect(mismatches()).toEqual([]);
  });

  it.each([
    ['too little', -700],
    ['too much', 1300],
  ])('repairs a budget that counted %s from the ledger, and says so once', async (_name, change) => {
    await spent();
    await world.runtime.records.update(budgetKey(JOB), {
      add: { spentMicros: change, remainingMicros: -change },
    });
    expect((await reconcile(world.runtime, JOB)).microUsd).toBe(7500);
    expect(await budgetOf(world.runtime, JOB)).toMatchObject({
      spent: { micros: 7500, calls: 10 },
      remaining: { micros: 992_500, calls: 90 },
    });
    expect(mismatches()).toMatchObject([
      {
        LedgerMismatch: 1,
        jobId: JOB,
        counted: { micros: 7500 + change },
        ledger: { micros: 7500 },
      },
    ]);
    await reconcile(world.runtime, JOB);
    expect(mismatches()).toHaveLength(1);
  });

  it('does not take the unfolded spending of a running lease for a difference', async () => {
    world = await embeddedRuntime();
    await openBudget(world.runtime, JOB, { microUsd: 1_000_000 });
    const running = testDoor(world.runtime, { provider: scripted(() => reply('fine')) });
    await running.infer(request('a'));
    // Another process settles the accounts while this one still holds its lease.
    expect((await reconcile(world.runtime, JOB)).microUsd).toBe(750);
    expect(mismatches()).toEqual([]);
    await running.door.close();
    expect(await budgetOf(world.runtime, JOB)).toMatchObject({
      spent: { micros: 750 },
      remaining: { micros: 999_250 },
      leases: 0,
    });
    await reconcile(world.runtime, JOB);
    expect(mismatches()).toEqual([]);
  });

  it('gives this process’s own leases back first', async () => {
    world = await embeddedRuntime();
    await openBudget(world.runtime, JOB, { microUsd: 1_000_000 });
    const { ctx } = testDoor(world.runtime);
    const registry = parseRegistry({ models: [{ name: 'builtin', provider: 'builtin' }] });
    const failed = await infer(request('x', { model: 'builtin', input: {} }), { ...ctx, registry });
    expect(failed.result).toMatchObject({ status: 'failed', error: { code: 'NO_BUILTIN' } });
    await reconcile(world.runtime, JOB);
    expect((await budgetOf(world.runtime, JOB)).leases).toBe(0);
    await closeDoor(world.runtime);
  });

  it('exports every row', async () => {
    await spent();
    const ref = await exportLedger(world.runtime, JOB);
    expect(ref).toMatchObject({ key: `jobs/${JOB}/output/ledger.jsonl`, count: 12 });
    const rows: LedgerRow[] = [];
    for await (const { value } of readJsonl(world.runtime.artifacts, ref)) rows.push(value as LedgerRow);
    const kept: LedgerRow[] = [];
    for await (const row of ledgerRows(world.runtime.records, JOB)) kept.push(row);
    expect(rows).toEqual(kept);
    expect(rows.reduce((sum, row) => sum + row.costMicros, 0)).toBe(7500);
  });
});
