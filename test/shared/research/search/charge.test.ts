import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { budgetOf, openBudget } from '#shared/models/budget.ts';
import { closeDoor, releaseJob } from '#shared/models/door.ts';
import { ledgerRows, reconcile } from '#shared/models/ledger.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import { charged, type Charged } from '#shared/research/search/charge.ts';
import { storageUnavailable } from '#shared/task/errors.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

const JOB = 'deep-research.aaaaaaaaaaaaaaaaaaaaaaaaaa';

let world: TestRuntime;
beforeEach(async () => {
  world = await embeddedRuntime();
  await openBudget(world.runtime, JOB, { microUsd: 1000 });
});
afterEach(async () => {
  await closeDoor(world.runtime);
  await world.close();
});

const pay = <T>(request: () => Promise<Charged<T>>, signal?: AbortSignal): Promise<T> =>
  charged(
    world.runtime,
    {
      jobId: JOB,
      workflow: 'deep-research',
      stage: 'search',
      role: 'tool:search_internet',
      provider: 'search',
      requestId: 'q',
      attempt: 1,
      microUsd: 600,
      cacheKey: 'k',
    },
    request,
    signal,
  );

async function rows(): Promise<LedgerRow[]> {
  const all: LedgerRow[] = [];
  for await (const row of ledgerRows(world.runtime.records, JOB)) all.push(row);
  return all;
}

describe('a paid request', () => {
  it('that throws is settled as one that may have been billed, and leaves no reservation', async () => {
    const lost = pay(async () => {
      throw new Error('no reader for this answer');
    });
    await expect(lost).rejects.toThrow('no reader for this answer');
    expect(await rows()).toMatchObject([
      { state: 'settled', outcome: 'error', errorCode: 'DEFECT', billed: 'unknown', costMicros: 600 },
    ]);
    // Nothing is on its way any more: a call that cannot be paid for is refused and does not wait for it.
    await expect(pay(async () => ({ value: 1, billed: 'yes' }))).rejects.toThrow(
      '400 of 1000 micros are left',
    );
    await releaseJob(world.runtime, JOB);
    expect(await budgetOf(world.runtime, JOB)).toMatchObject({
      spent: { micros: 600 },
      remaining: { micros: 400 },
      leases: 0,
    });
    expect(await reconcile(world.runtime, JOB)).toMatchObject({ microUsd: 600, calls: 1 });
  });

  it('that its caller stopped is settled as cancelled', async () => {
    const stop = new AbortController();
    const stopped = pay(async () => {
      stop.abort(new Error('stopped'));
      throw stop.signal.reason as Error;
    }, stop.signal);
    await expect(stopped).rejects.toThrow('stopped');
    expect(await rows()).toMatchObject([{ state: 'settled', outcome: 'cancelled', costMicros: 600 }]);
  });

  it('gives its value and charges its price; one that was refused costs nothing', async () => {
    expect(await pay(async () => ({ value: 'hits', billed: 'yes', httpStatus: 200 }))).toBe('hits');
    await expect(pay(async () => ({ value: undefined, billed: 'no', errorCode: 'AUTH' }))).rejects.toThrow(
      '400 of 1000',
    );
    expect(await rows()).toMatchObject([{ outcome: 'ok', costMicros: 600, httpStatus: 200 }]);
  });

  it('whose row cannot be settled is left to the sweep', async () => {
    const { records } = world.runtime;
    const { put, putEach } = records;
    const fail = async (): Promise<never> => {
      throw storageUnavailable('gone for now');
    };
    const unsettled = pay(async () => {
      Object.assign(records, { put: fail, putEach: fail });
      return { value: 1, billed: 'yes' };
    });
    await expect(unsettled).rejects.toThrow('gone for now');
    Object.assign(records, { put, putEach });
    expect(await rows()).toMatchObject([{ state: 'open' }]);
  });
});
