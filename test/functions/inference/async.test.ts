import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { callRecord } from '#shared/models/batch/async/records.ts';
import { readTraces } from '#shared/models/batch/traces.ts';
import { budgetOf } from '#shared/models/budget.ts';
import { reconcile } from '#shared/models/ledger.ts';
import { readNotification } from '#functions/inference/notification.ts';
import { JOB, openAsyncWorld, PREFIX, TTL_MS, type AsyncWorld } from './async-world.ts';

let world: AsyncWorld;
beforeEach(async () => {
  world = await openAsyncWorld();
});
afterEach(() => world.close());

describe('asynchronous endpoints', () => {
  it('[model-inference 9] a lost notification is completed within 3 virtual minutes, and three copies settle once', async () => {
    expect(await world.start()).toEqual({ token: 'waiting' });
    expect(world.submitted.sort()).toEqual([world.idOf(0), world.idOf(1)].sort());
    await world.answer(world.idOf(0), 'A');
    const key = await world.answer(world.idOf(1), 'B');
    const copies = [
      { inferenceId: world.idOf(1), invocationStatus: 'Completed' },
      {
        Type: 'Notification',
        Message: JSON.stringify({ inferenceId: world.idOf(1), invocationStatus: 'Completed' }),
      },
      { 'detail-type': 'Object Created', detail: { object: { key } } },
    ];
    for (const copy of copies) expect(await world.deliver(copy)).toEqual({ batchItemFailures: [] });
    expect(world.sent).toEqual([]);
    for (let minute = 0; minute < 3 && world.sent.length === 0; minute++) {
      world.clock.advance(60_000);
      await world.sweep();
    }
    expect(world.sent).toHaveLength(1);
    expect(world.sent[0]).toMatchObject({ done: true, costMicros: 30, counts: { total: 2, ok: 2 } });
    expect([...(await readTraces(world.runtime.artifacts, PREFIX))]).toMatchObject([
      ['a', { attempts: 1, cached: false, costMicros: 15, attemptIds: [world.idOf(0)] }],
      ['b', { attempts: 1, cached: false, costMicros: 15, attemptIds: [world.idOf(1)] }],
    ]);
    for (const copy of copies) await world.deliver(copy);
    await world.sweep();
    expect(world.sent).toHaveLength(1);
    expect(await reconcile(world.runtime, JOB)).toMatchObject({ calls: 2, microUsd: 30 });
    expect(await budgetOf(world.runtime, JOB)).toMatchObject({
      spent: { micros: 30 },
      remaining: { micros: 999_970 },
      leases: 0,
    });
  });

  it('[model-inference 10] killed between submission and record, nothing is submitted again', async () => {
    await world.start();
    // As the record stood when the process died after the request had left.
    await world.runtime.records.put(
      callRecord({ ...(await world.stored(world.idOf(0))), state: 'SUBMITTING' }),
    );
    world.submitted.length = 0;
    await world.start();
    expect(world.submitted).toEqual([]);
    await world.answer(world.idOf(0), 'A');
    await world.answer(world.idOf(1), 'B');
    world.clock.advance(121_000);
    await world.sweep();
    expect(world.sent).toHaveLength(1);
  });

  it('[model-inference 11] an expired call is submitted once more, then EXPIRED; late output is still cached', async () => {
    await world.start();
    await world.answer(world.idOf(1), 'B');
    await world.deliver({ inferenceId: world.idOf(1), invocationStatus: 'Completed' });
    for (let minute = 0; minute < 2 * (TTL_MS / 60_000) + 20 && world.sent.length === 0; minute++) {
      world.clock.advance(60_000);
      await world.sweep();
    }
    expect(world.submitted.filter((id) => id === world.idOf(0) || id === world.idOf(0, 1))).toHaveLength(2);
    expect(world.sent[0]).toMatchObject({ counts: { ok: 1, failed: 1 } });
    expect(world.beats.count).toBeGreaterThan(0);
    await world.answer(world.idOf(0), 'late');
    await world.deliver({ inferenceId: world.idOf(0), invocationStatus: 'Completed' });
    const cached = await world.runtime.records.get({
      pk: `CACHE#${(await world.stored(world.idOf(0))).row.cacheKey}`,
      sk: 'RESULT',
    });
    expect(cached?.attributes.entry).toMatchObject({ answer: { text: 'late' } });
    expect(world.sent).toHaveLength(1);
  });
});

describe('answers that are known already', () => {
  const finish = async (): Promise<void> => {
    for (const [line, text] of ['A', 'B'].entries()) {
      await world.answer(world.idOf(line), text);
      await world.deliver({ inferenceId: world.idOf(line), invocationStatus: 'Completed' });
    }
  };

  it('are no submissions: a free row each in the ledger, however often the batch is started', async () => {
    await world.start();
    await finish();
    world.submitted.length = 0;
    const again = `jobs/${JOB}/work/1`;
    await world.start({ prefix: again });
    await world.start({ prefix: again });
    expect(world.submitted).toEqual([]);
    expect(world.sent.at(-1)).toMatchObject({ done: true, costMicros: 0, counts: { total: 2, ok: 2 } });
    expect([...(await readTraces(world.runtime.artifacts, again)).values()]).toMatchObject([
      { cached: true, savedMicros: 15 },
      { cached: true, savedMicros: 15 },
    ]);
    expect(await reconcile(world.runtime, JOB)).toMatchObject({
      calls: 2,
      cacheHits: 2,
      microUsd: 30,
      savedMicros: 30,
    });
  });

  it('stay with their job where the batch says so', async () => {
    await world.start();
    await finish();
    world.submitted.length = 0;
    await world.start({ prefix: `jobs/${JOB}/work/own`, cacheScope: 'job' });
    expect(world.submitted).toHaveLength(2);
  });
});

describe('readNotification', () => {
  it('never throws, whatever a message says', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (body) => {
        const news = readNotification(body);
        expect(news === undefined || typeof news === 'object').toBe(true);
      }),
    );
  });
});
