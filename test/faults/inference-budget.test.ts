import { execFile, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { budgetOf, openBudget, raiseBudget } from '#shared/models/budget.ts';
import { ledgerRows, reconcile } from '#shared/models/ledger.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import type { Spent, SpendOrder } from './inference-budget-child.ts';

const JOB = 'test-workflow.aaaaaaaaaaaaaaaaaaaaaaaaaa';
const PROCESSES = 5;
const CALLERS = 10;
const CAP = 20_000;

let world: TestRuntime | undefined;
const children = new Set<ChildProcess>();
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await world?.close();
});

function spend(order: SpendOrder): Promise<Spent> {
  return new Promise((resolve, reject) => {
    const script = join(import.meta.dirname, 'inference-budget-child.ts');
    const child = execFile(process.execPath, [script, JSON.stringify(order)], (error, stdout, stderr) => {
      children.delete(child);
      if (error) reject(new Error(stderr || error.message));
      else resolve(JSON.parse(stdout) as Spent);
    });
    children.add(child);
  });
}

describe('a budget shared by real processes', () => {
  it('[model-inference 22] 50 callers in 5 processes over one data directory never commit more than the cap', async () => {
    world = await embeddedRuntime();
    const { runtime, dir } = world;
    const epoch = Date.now();
    await openBudget(runtime, JOB, { microUsd: CAP });
    const round = async (): Promise<Spent[]> =>
      Promise.all(
        Array.from({ length: PROCESSES }, (_, process) =>
          spend({ dataDir: dir, jobId: JOB, process, callers: CALLERS, speed: 10, epoch }),
        ),
      );
    const sum = (all: Spent[], of: 'done' | 'exhausted' | 'charged'): number =>
      all.reduce((total, one) => total + one[of], 0);

    const first = await round();
    expect(first.flatMap(({ other }) => other)).toEqual([]);
    expect(sum(first, 'done') + sum(first, 'exhausted')).toBe(PROCESSES * CALLERS);
    expect(sum(first, 'exhausted')).toBeGreaterThan(0);
    // Calls went on until less than the worst case of one was left.
    expect(sum(first, 'charged')).toBeGreaterThan(CAP - 2030);
    expect(sum(first, 'charged')).toBeLessThanOrEqual(CAP);
    const { spent, remaining, leases } = await budgetOf(runtime, JOB);
    expect({ spent: spent.micros, sum: spent.micros + remaining.micros, leases }).toEqual({
      spent: sum(first, 'charged'),
      sum: CAP,
      leases: 0,
    });

    // Raised, the others finish; what was done costs nothing again.
    await raiseBudget(runtime, JOB, { microUsd: 10 * CAP });
    const second = await round();
    expect(sum(second, 'done')).toBe(PROCESSES * CALLERS);
    const charged = sum(first, 'charged') + sum(second, 'charged');
    expect((await reconcile(runtime, JOB)).microUsd).toBe(charged);
    let calls = 0;
    for await (const row of ledgerRows(runtime.records, JOB)) if (row.kind === 'call') calls++;
    expect(calls).toBe(PROCESSES * CALLERS);
  }, 900_000);
});
