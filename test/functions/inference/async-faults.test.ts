import { afterEach, describe, expect, it } from 'vitest';
import { callKey } from '#shared/models/batch/async/records.ts';
import { budgetOf } from '#shared/models/budget.ts';
import { ledgerRows, reconcile } from '#shared/models/ledger.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import { storageUnavailable } from '#shared/task/errors.ts';
import { JOB, openAsyncWorld, TTL_MS, type AsyncWorld } from './async-world.ts';

/** What goes wrong around asynchronous endpoints: news that come together, models and records that change meanwhile. */

let world: AsyncWorld;
afterEach(() => world.close());

const output = {
  name: 'answer',
  schema: { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
};
const completed = (inferenceId: string) => ({ inferenceId, invocationStatus: 'Completed' });

async function rows(): Promise<LedgerRow[]> {
  const all: LedgerRow[] = [];
  for await (const row of ledgerRows(world.runtime.records, JOB)) all.push(row);
  return all;
}

describe('asynchronous calls', () => {
  it('are asked again once and paid once, though the storage fails in between and news come three times', async () => {
    // What the first calls leave is enough for one re-ask and not for two.
    world = await openAsyncWorld({ request: { output }, microUsd: 1500 });
    await world.start();
    const { records } = world.runtime;
    const before = (await budgetOf(world.runtime, JOB)).remaining.micros;
    await world.answer(world.idOf(0), 'no JSON');
    // The money is held and the next call cannot be recorded: the message comes again.
    const put = records.put.bind(records);
    records.put = async (item, options) => {
      if (item.pk === callKey(world.idOf(0, 1)).pk) throw storageUnavailable('gone for now');
      return put(item, options);
    };
    expect(await world.deliver(completed(world.idOf(0)))).toMatchObject({
      batchItemFailures: [{ itemIdentifier: '1' }],
    });
    records.put = put;
    await Promise.all([1, 2, 3].map(() => world.deliver(completed(world.idOf(0)))));
    expect(world.submitted.filter((id) => id === world.idOf(0, 1))).toHaveLength(1);
    const reask = (await rows()).find(({ kind }) => kind === 'reask')!;
    // The first call's reservation pays for it as far as it was not used.
    const first = (await rows()).find(({ attemptId }) => attemptId === world.idOf(0))!;
    const more = reask.reservedMicros - (first.reservedMicros - 15);
    expect(more).toBeGreaterThan(0);
    expect((await budgetOf(world.runtime, JOB)).remaining.micros).toBe(before - more);
    expect(before).toBeLessThan(2 * more);
    await world.answer(world.idOf(0, 1), '{"a": 1}');
    await world.answer(world.idOf(1), '{"a": 2}');
    for (const id of [world.idOf(0, 1), world.idOf(1)]) await world.deliver(completed(id));
    expect(world.sent).toMatchObject([{ done: true, counts: { total: 2, ok: 2 } }]);
    expect(await reconcile(world.runtime, JOB)).toMatchObject({ calls: 3, microUsd: 45 });
    expect(await budgetOf(world.runtime, JOB)).toMatchObject({
      spent: { micros: 45 },
      remaining: { micros: 1455 },
      leases: 0,
    });
  });

  it('end with their expiry where the registry has lost their model', async () => {
    world = await openAsyncWorld();
    await world.start();
    await world.register([{ name: 'builtin', provider: 'builtin' }]);
    for (let minute = 0; minute <= TTL_MS / 60_000 && world.sent.length === 0; minute++) {
      world.clock.advance(60_000);
      await world.sweep();
    }
    expect(world.sent).toMatchObject([{ done: true, counts: { total: 2, failed: 2 } }]);
    // Nobody can say what they cost: the whole reservation counts.
    const [row] = await rows();
    expect(row).toMatchObject({ outcome: 'error', errorCode: 'EXPIRED', billed: 'unknown' });
    expect((await budgetOf(world.runtime, JOB)).spent.micros).toBe(2 * row!.reservedMicros);
  });

  it('are swept though one of them cannot be treated', async () => {
    world = await openAsyncWorld();
    await world.start();
    await world.answer(world.idOf(1), 'B');
    // The first call's request is in an artifact that somebody has deleted.
    const { call } = (await world.runtime.records.get(callKey(world.idOf(0))))!.attributes as {
      call: Record<string, Json>;
    };
    await world.runtime.records.update(callKey(world.idOf(0)), {
      set: { call: { ...call, request: { artifact: 'jobs/gone.json' } } },
    });
    await world.answer(world.idOf(0), 'A');
    world.clock.advance(121_000);
    await world.sweep();
    expect((await world.stored(world.idOf(1))).state).toBe('DONE');
    expect(world.logs.map(({ message }) => message)).toContain(
      'An asynchronous call could not be swept and will be looked at again.',
    );
  });

  it('are logged and counted as others are, without prompts and answers', async () => {
    world = await openAsyncWorld({
      request: { messages: [{ role: 'user', content: 'CANARY-PROMPT' }], output },
    });
    await world.start();
    world.clock.advance(5000);
    await world.answer(world.idOf(0), '```json\n{"a": 1}\n```');
    await world.answer(world.idOf(1), 'CANARY-ANSWER');
    for (const line of [0, 1]) await world.deliver(completed(world.idOf(line)));
    world.clock.advance(121_000);
    await world.sweep();
    const attempts = world.logs.filter(({ message }) => message === 'model call');
    expect(attempts).toMatchObject([
      { attemptId: world.idOf(0), outcome: 'ok', tokensIn: 10, latencyMs: 5000 },
      { attemptId: world.idOf(1), outcome: 'rejected', code: 'PARSE_ERROR' },
    ]);
    expect(world.logs.find((line) => 'Calls' in line)).toMatchObject({
      Calls: 2,
      LatencyMs: [5000, 5000],
      Rejects: 1,
      Repairs: 1,
      CostMicros: 30,
    });
    expect(JSON.stringify(world.logs)).not.toContain('CANARY');
  });
});

describe('a batch that cannot be asked', () => {
  it('is refused before anything is submitted: a disabled model, a schema that is none', async () => {
    world = await openAsyncWorld({ model: { enabled: false } });
    expect(await world.start()).toMatchObject({ token: 'failed', error: 'NotFound' });
    expect(world.submitted).toEqual([]);
    await world.close();
    world = await openAsyncWorld({ request: { output: { name: 'a', schema: { type: 'no such type' } } } });
    expect(await world.start()).toMatchObject({ token: 'failed', error: 'InvalidInput' });
    expect(world.submitted).toEqual([]);
    expect((await budgetOf(world.runtime, JOB)).leases).toBe(0);
  });
});
