import { afterEach, describe, expect, it } from 'vitest';
import { budgetOf, openBudget } from '#shared/models/budget.ts';
import { ledgerRows, totalsOf } from '#shared/models/ledger.ts';
import { ProviderError, type LedgerRow } from '#shared/models/types.ts';
import { isError } from '#shared/task/errors.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { reply, request, scripted, testDoor, type Answer } from '../support/door.ts';
import { virtualClock, type VirtualClock } from '../support/virtual-clock.ts';

let world: TestRuntime;
let clock: VirtualClock;
afterEach(() => world.close());

/** Asks once with a hedge after a second; the nth call takes `ms[n]`. */
async function hedge(ms: number[], answer: Answer = () => reply('fine')) {
  clock = virtualClock();
  world = await embeddedRuntime({ clock });
  const provider = scripted(async (call, n) => {
    try {
      await clock.sleep(ms[n - 1] ?? 0, call.signal);
    } catch (cause) {
      throw new ProviderError('TIMEOUT', 'aborted', { billed: 'unknown', cause });
    }
    return answer(call, n);
  });
  const test = testDoor(world.runtime, { provider });
  await openBudget(world.runtime, test.ctx.jobId, { microUsd: 100_000 });
  const start = clock.now();
  const { result, trace } = await clock.run(() => test.infer(request('x', { hedgeAfterMs: 1000 })));
  const took = clock.now() - start;
  await clock.run(() => test.door.release(test.ctx.jobId));
  const rows: LedgerRow[] = [];
  for await (const row of ledgerRows(world.runtime.records, test.ctx.jobId)) rows.push(row);
  rows.sort((a, b) => a.attempt - b.attempt);
  const budget = await budgetOf(world.runtime, test.ctx.jobId);
  const { microUsd } = await totalsOf(world.runtime, test.ctx.jobId);
  return { provider, result, trace, took, rows, budget, microUsd };
}

describe('hedging', () => {
  it('makes no second call where the first is quick', async () => {
    const { provider, rows, took } = await hedge([900]);
    expect(provider.calls).toHaveLength(1);
    expect(rows.map(({ kind, outcome }) => [kind, outcome])).toEqual([['call', 'ok']]);
    expect(took).toBeLessThan(1000);
  });

  it('takes the quicker answer, aborts the slow call and settles both', async () => {
    const { provider, result, trace, rows, took, budget, microUsd } = await hedge([60_000, 500]);
    expect(result).toMatchObject({ status: 'ok', text: 'fine' });
    expect(took).toBeLessThan(2500);
    expect(provider.calls[0]!.signal.aborted).toBe(true);
    expect(rows.map(({ kind, outcome, state }) => [kind, outcome, state])).toEqual([
      ['call', 'cancelled', 'settled'],
      ['hedge', 'ok', 'settled'],
    ]);
    // Each reserved for itself; the loser of a model that bills tokens is charged whole.
    expect(rows[0]!.costMicros).toBe(rows[0]!.reservedMicros);
    expect(rows[1]!.costMicros).toBe(750);
    expect(trace).toMatchObject({ attempts: 2, costMicros: microUsd });
    expect(budget.spent.micros).toBe(microUsd);
    expect(budget.leases).toBe(0);
  });

  it('takes the first call where the second is slower', async () => {
    const { provider, rows } = await hedge([1500, 60_000]);
    expect(provider.calls[1]!.signal.aborted).toBe(true);
    expect(rows.map(({ kind, outcome }) => [kind, outcome])).toEqual([
      ['call', 'ok'],
      ['hedge', 'cancelled'],
    ]);
  });

  it('goes on with the second call when the first fails after it began', async () => {
    const { result, rows } = await hedge([2000, 3000], (_, n) => {
      if (n === 1) throw new ProviderError('UNAVAILABLE', 'down', { billed: 'no' });
      return reply('fine');
    });
    expect(result.status).toBe('ok');
    expect(rows.map(({ kind, outcome }) => [kind, outcome])).toEqual([
      ['call', 'error'],
      ['hedge', 'ok'],
    ]);
  });

  it('retries a first call that fails before its time, without a hedge', async () => {
    const { rows } = await hedge([10, 10], (_, n) => {
      if (n === 1) throw new ProviderError('UNAVAILABLE', 'down', { billed: 'no' });
      return reply('fine');
    });
    expect(rows.map(({ kind, outcome }) => [kind, outcome])).toEqual([
      ['call', 'error'],
      ['call', 'ok'],
    ]);
  });

  it('is refused above temperature 0', async () => {
    clock = virtualClock();
    world = await embeddedRuntime({ clock });
    const { infer } = testDoor(world.runtime, { provider: scripted(() => reply('fine')) });
    const error: unknown = await infer(
      request('x', { hedgeAfterMs: 1000, params: { temperature: 0.5 } }),
    ).catch((e: unknown) => e);
    expect(isError(error, 'InvalidInput')).toBe(true);
  });
});
