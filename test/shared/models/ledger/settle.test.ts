import { afterEach, describe, expect, it } from 'vitest';
import { GroupCommit } from '#shared/storage/group-commit.ts';
import { storageUnavailable } from '#shared/task/errors.ts';
import { openBudget } from '#shared/models/budget.ts';
import { closeLease } from '#shared/models/budget/sweep.ts';
import { reconcile, ledgerRows } from '#shared/models/ledger.ts';
import { rowRecord } from '#shared/models/ledger/row.ts';
import { LedgerWriter } from '#shared/models/ledger/writer.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import type { Records } from '#shared/storage/ports.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { embeddedRuntime } from '#test/support/runtime.ts';
import { memoryRecords } from '../support/memory-records.ts';
import { reply, request, scripted, testDoor } from '../support/door.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function platform(): Promise<Runtime> {
  const test = await embeddedRuntime();
  closing.push(test.close);
  return test.runtime;
}

async function rowsOf(records: Records, jobId: string): Promise<LedgerRow[]> {
  const rows: LedgerRow[] = [];
  for await (const row of ledgerRows(records, jobId)) rows.push(row);
  return rows;
}

const JOB = 'test-workflow.aaaaaaaaaaaaaaaaaaaaaaaaaa';

describe('settling', () => {
  it('leaves a row alone that was closed as lapsed while its owner slept', async () => {
    const runtime = await platform();
    await openBudget(runtime, JOB, { microUsd: 100_000 });
    const sleeper = scripted(async (call) => {
      // The sweep takes the lease while the answer is on its way.
      const [row] = await rowsOf(runtime.records, JOB);
      expect(row).toMatchObject({ state: 'open', attemptId: call.attemptId });
      await closeLease(runtime, at.ctx.registry, JOB, row!.leaseId);
      return reply('late');
    });
    const at = testDoor(runtime, { provider: sleeper });
    await expect(at.infer(request('a'))).rejects.toMatchObject({ name: 'StorageUnavailable' });
    const [row] = await rowsOf(runtime.records, JOB);
    expect(row).toMatchObject({ state: 'settled', outcome: 'lapsed', billed: 'unknown', tokensOut: 0 });
    expect(row!.costMicros).toBe(row!.reservedMicros);
    expect((await reconcile(runtime, JOB)).microUsd).toBe(row!.costMicros);
  });

  it('lapses an open row whose lease is closed', async () => {
    const runtime = await platform();
    await openBudget(runtime, JOB, { microUsd: 100_000 });
    const at = testDoor(runtime, { provider: scripted(() => reply('yes')) });
    await at.infer(request('a'));
    const [done] = await rowsOf(runtime.records, JOB);
    // As a write leaves it that was done and failed for its caller.
    const lost: LedgerRow = { ...done!, attemptId: 'f'.repeat(32), state: 'open', costMicros: 0 };
    delete lost.outcome;
    await runtime.records.put(rowRecord(lost, '0'));

    expect((await reconcile(runtime, JOB)).microUsd).toBe(done!.costMicros);
    expect((await rowsOf(runtime.records, JOB)).filter(({ state }) => state === 'open')).toHaveLength(1);
    await at.door.close();
    expect((await reconcile(runtime, JOB)).microUsd).toBe(done!.costMicros + lost.reservedMicros);
    expect(
      (await rowsOf(runtime.records, JOB)).find(({ attemptId }) => attemptId === lost.attemptId),
    ).toMatchObject({ state: 'settled', outcome: 'lapsed' });
  });

  it('is done once however often it is told', async () => {
    const runtime = await platform();
    for (const records of [memoryRecords(), runtime.records]) {
      const writer = new LedgerWriter(new GroupCommit(records), '0');
      const open = { attemptId: 'a', jobId: JOB, leaseId: 'b', state: 'open', costMicros: 0 } as LedgerRow;
      const version = await writer.write(open);
      const settled: LedgerRow = { ...open, state: 'settled', outcome: 'ok', costMicros: 3 };
      expect(await writer.settle(settled, version)).toBe(settled);
      expect(await writer.settle({ ...settled, costMicros: 9 }, version)).toEqual(settled);
      expect(await writer.settle({ ...settled, costMicros: 9 })).toEqual(settled);
      // A row that its writer did not live to write.
      const other: LedgerRow = { ...settled, attemptId: 'c' };
      expect(await writer.settle(other)).toBe(other);
    }
  });

  it('fails for the one of a group that is refused', async () => {
    const { records } = await platform();
    await records.put({ pk: 'p', sk: '3', attributes: { n: 'there' } });
    const commits = new GroupCommit(records);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, (_, n) =>
        commits.put({ pk: 'p', sk: String(n), attributes: { n } }, { ifAbsent: true }),
      ),
    );
    expect(outcomes.flatMap(({ status }, n) => (status === 'rejected' ? [n] : []))).toEqual([3]);
    expect(await records.get({ pk: 'p', sk: '59' })).toMatchObject({ attributes: { n: 59 }, version: 1 });
    expect(await records.get({ pk: 'p', sk: '3' })).toMatchObject({ attributes: { n: 'there' } });
  });

  it('follows its answer in order where a store has no commits of several', async () => {
    const records = memoryRecords();
    const commits = new GroupCommit(records);
    const inOrder = (...names: string[]) =>
      commits.putInOrder(
        names.map((sk) => ({ item: { pk: 'p', sk, attributes: {} }, options: { ifAbsent: true } })),
      );
    await inOrder('answer');
    // Somebody else's answer stands; the row is settled all the same.
    const [answer, row] = await inOrder('answer', 'row');
    expect(answer).toMatchObject({ status: 'rejected', reason: { name: 'Conflict' } });
    expect(row).toMatchObject({ status: 'fulfilled' });

    const put = records.put.bind(records);
    records.put = async (item, options) => {
      if (item.sk === 'lost answer') throw storageUnavailable('gone');
      return put(item, options);
    };
    const outcomes = await inOrder('lost answer', 'late row');
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await records.get({ pk: 'p', sk: 'late row' })).toBeUndefined();
  });
});
