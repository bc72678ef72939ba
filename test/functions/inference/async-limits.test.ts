import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '#shared/determinism/clock.ts';
import { budgetOf, raiseBudget } from '#shared/models/budget.ts';
import { ledgerRows, reconcile } from '#shared/models/ledger.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import { DynamoRecords } from '#shared/storage/aws/dynamodb.ts';
import { dynaliteTable } from '../../contract/dynalite.ts';
import { JOB, openAsyncWorld, TTL_MS, type AsyncWorld } from './async-world.ts';

/** Submissions take what attempts take: requests and tokens a minute, the breaker's leave, one reservation each. */

let world: AsyncWorld;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await world.close();
  for (const close of closing.splice(0)) await close();
});

const STORES = { embedded: undefined, DynamoDB: dynamo };

async function dynamo(): Promise<(clock: Clock) => DynamoRecords> {
  const { client, table, close } = await dynaliteTable();
  closing.push(close);
  return (clock) => new DynamoRecords(client, table, clock);
}

type Options = Parameters<typeof openAsyncWorld>[0];
async function open(store: keyof typeof STORES, options: Options = {}): Promise<void> {
  const records = await STORES[store]?.();
  world = await openAsyncWorld({ ...options, ...(records ? { records } : {}) });
}

const ids = (count: number): string[] => Array.from({ length: count }, (_, n) => `r${n}`);
const limits = (patch: Record<string, number>) => ({
  limits: { rpm: 6000, tpm: 6e6, concurrency: 8, ...patch },
});

async function rows(): Promise<LedgerRow[]> {
  const all: LedgerRow[] = [];
  for await (const row of ledgerRows(world.runtime.records, JOB)) all.push(row);
  return all;
}
const shared = async (pk: string, sk: string) => (await world.runtime.records.get({ pk, sk }))?.attributes;
const tat = async (kind: 'rpm' | 'tpm') => (await shared(`LIMIT#big#${kind}`, 'TAT'))!.tat as number;
const breaker = () => shared('BREAKER#big', 'STATE');

/** More time than any task needs. */
const LONG_MS = 36_000_000;

/** Lets virtual time pass until something has come to its end. */
async function passing<T>(work: Promise<T>): Promise<T> {
  let over = false;
  void work.finally(() => (over = true)).catch(() => undefined);
  while (!over) {
    world.clock.advance(500);
    await pause(1);
  }
  return work;
}
const breakerOpen = (until: number, reason = 'UNAVAILABLE') =>
  world.runtime.records.put({
    pk: 'BREAKER#big',
    sk: 'STATE',
    attributes: { state: 'open', until, opened: 1, successes: 0, probeUntil: 0, reason },
  });
const completed = (inferenceId: string) => ({ inferenceId, invocationStatus: 'Completed' });
const failed = (inferenceId: string, failureReason: string) => ({
  inferenceId,
  invocationStatus: 'Failed',
  failureReason,
});
const finish = async (line: number, ordinal = 0): Promise<void> => {
  await world.answer(world.idOf(line, ordinal), `answer ${line}`);
  await world.deliver(completed(world.idOf(line, ordinal)));
};

describe.each(Object.keys(STORES) as (keyof typeof STORES)[])('asynchronous submissions on %s', (store) => {
  it('take tokens a minute, and give back what the calls did not use', async () => {
    // A token a millisecond.
    await open(store, { model: limits({ tpm: 60_000 }) });
    const now = world.clock.now();
    await world.start();
    const { taken } = await world.stored(world.idOf(0));
    expect(await tat('tpm')).toBe(now + 2 * taken!.tokens);
    await finish(0);
    expect(await tat('tpm')).toBe(now + taken!.tokens + 15);
    await finish(1);
    expect(await tat('tpm')).toBe(now + 30);
  });

  it('go on in another task where the limits leave this one no time, and nothing is submitted twice', async () => {
    await open(store, { ids: ids(3), model: limits({ rpm: 6 }) });
    expect(await world.start({ taskToken: 'T1' }, 12_000)).toEqual({ token: 'completed' });
    expect(world.sent).toMatchObject([{ done: false }]);
    expect(world.submitted).toEqual([world.idOf(0)]);
    expect(await passing(world.start({ taskToken: 'T2' }, LONG_MS))).toEqual({ token: 'waiting' });
    expect(world.submitted).toEqual([0, 1, 2].map((line) => world.idOf(line)));
    for (let line = 0; line < 3; line++) await finish(line);
    expect(world.sent).toHaveLength(2);
    expect(world.sent[1]).toMatchObject({ done: true, counts: { total: 3, ok: 3 } });
    expect((await budgetOf(world.runtime, JOB)).leases).toBe(0);
  });

  it('are a half-open breaker’s probe until their call is answered', async () => {
    await open(store, { ids: ['a'] });
    await breakerOpen(world.clock.now());
    await world.start();
    expect(await world.stored(world.idOf(0))).toMatchObject({ state: 'WAITING', probe: true });
    expect(await breaker()).toMatchObject({ state: 'half-open', successes: 0 });
    await finish(0);
    expect(await breaker()).toMatchObject({ state: 'half-open', successes: 1, probeUntil: 0 });
  });
});

describe('asynchronous submissions', () => {
  it('take requests a minute', async () => {
    await open('embedded', { ids: ids(4), model: limits({ rpm: 60 }) });
    const start = world.clock.now();
    await passing(world.start({}, LONG_MS));
    // One a second after a burst of two seconds: the fourth goes after one.
    expect(world.submitted).toHaveLength(4);
    expect(world.clock.now() - start).toBeGreaterThanOrEqual(1000);
    expect(await tat('rpm')).toBeGreaterThanOrEqual(start + 4000);
  });

  it('open the breaker when their calls fail, wait for it, and close it by what their probes come to', async () => {
    await open('embedded', { ids: ids(10) });
    await world.start();
    for (let line = 0; line < 5; line++) await finish(line);
    for (let line = 5; line < 10; line++) {
      const id = world.idOf(line);
      await world.fail(id, 'the container answered (500)');
      await world.deliver(failed(id, 'the container answered (500)'));
    }
    // Half of ten: the last failure opens it, and its line is asked again only when the breaker lets it.
    expect(await breaker()).toMatchObject({ state: 'open', reason: 'UNAVAILABLE' });
    const last = world.idOf(9, 1);
    expect(world.submitted).not.toContain(last);
    world.clock.advance(121_000);
    await world.sweep();
    expect(world.submitted).toContain(last);
    expect(await world.stored(last)).toMatchObject({ state: 'WAITING', probe: true });
    expect(await breaker()).toMatchObject({ state: 'half-open', successes: 0 });
    // Others of this process see what came of the probe.
    await finish(9, 1);
    expect(await breaker()).toMatchObject({ state: 'half-open', successes: 1, probeUntil: 0 });
    for (let line = 5; line < 9; line++) await finish(line, 1);
    expect(world.sent).toMatchObject([{ done: true, counts: { total: 10, ok: 10 } }]);
  });

  it('are attempts, one row each: refused ones are tried eight times, and one reservation pays for all of them', async () => {
    await open('embedded', {
      ids: ['a'],
      model: { billing: 'token' },
      respond: () => ({ status: 429, headers: { 'retry-after': '1' }, body: '{"message":"slow down"}' }),
    });
    expect(await passing(world.start({}, LONG_MS))).toEqual({ token: 'waiting' });
    const all = await rows();
    expect(all).toHaveLength(8);
    expect(world.submitted).toHaveLength(8);
    for (const row of all)
      expect(row).toMatchObject({ outcome: 'error', errorCode: 'THROTTLED', billed: 'no', costMicros: 0 });
    expect(world.sent).toMatchObject([{ counts: { total: 1, failed: 1 } }]);
    expect(await budgetOf(world.runtime, JOB)).toMatchObject({ spent: { micros: 0, calls: 8 }, leases: 0 });
  });
});

describe('an asynchronous batch', () => {
  it('leaves a refused submission to the sweep where its task has no time to wait', async () => {
    await open('embedded', {
      ids: ['a'],
      respond: (_id, nth) => (nth === 1 ? { status: 429, headers: { 'retry-after': '100' } } : undefined),
    });
    await world.start({}, 60_000);
    expect(await world.stored(world.idOf(0))).toMatchObject({
      state: 'REFUSED',
      refused: { code: 'THROTTLED' },
    });
    await world.sweep();
    world.clock.advance(90_000);
    await world.sweep();
    expect(world.submitted).toHaveLength(1);
    world.clock.advance(11_000);
    await world.sweep();
    expect(world.submitted).toEqual([world.idOf(0), world.idOf(0, 1)]);
    await finish(0, 1);
    expect(world.sent).toMatchObject([{ done: true, counts: { ok: 1 } }]);
  });

  it('takes an answer that comes after all to a submission whose acceptance was lost', async () => {
    await open('embedded', { ids: ['a'], respond: (_id, nth) => (nth === 1 ? { status: 503 } : undefined) });
    await world.start({}, 8000);
    expect(await world.stored(world.idOf(0))).toMatchObject({ state: 'REFUSED' });
    await finish(0);
    expect(world.sent).toMatchObject([{ done: true, counts: { ok: 1 } }]);
    world.clock.advance(300_000);
    await world.sweep();
    expect(world.submitted).toHaveLength(1);
  });

  it('asks a line again once, also where the re-ask was refused before it was answered', async () => {
    await open('embedded', {
      ids: ['a'],
      request: { output: { name: 'n', schema: { type: 'object', required: ['n'] } } },
      respond: (_id, nth) => (nth === 2 ? { status: 503 } : undefined),
    });
    await world.start();
    await world.answer(world.idOf(0), 'no JSON');
    await world.deliver(completed(world.idOf(0)));
    world.clock.advance(60_000);
    await world.sweep();
    await world.answer(world.idOf(0, 2), 'no JSON either');
    await world.deliver(completed(world.idOf(0, 2)));
    expect((await rows()).map(({ kind }) => kind).sort()).toEqual(['call', 'reask', 'reask']);
    expect(world.sent).toMatchObject([{ counts: { rejected: 1 } }]);
    expect(world.submitted).toHaveLength(3);
  });

  it('a call that is lost in the queue is no fault of the endpoint', async () => {
    await open('embedded', { ids: ids(12) });
    await world.start();
    for (let minute = 0; minute < 2 * (TTL_MS / 60_000) + 30 && world.sent.length === 0; minute++) {
      world.clock.advance(60_000);
      await world.sweep();
    }
    expect(world.submitted).toHaveLength(24);
    expect(await breaker()).toBeUndefined();
  });

  it('ends in BudgetExhausted where a further attempt cannot be paid, and goes on with that line once it is raised', async () => {
    await open('embedded', {
      model: { billing: 'token' },
      microUsd: 450,
      request: { params: { maxOutputTokens: 100 } },
    });
    expect(await world.start()).toEqual({ token: 'waiting' });
    await finish(1);
    await world.deliver(failed(world.idOf(0), 'invocation timed out'));
    expect(world.sent).toEqual([{ error: 'BudgetExhausted', cause: expect.stringContaining('Raise it') }]);
    expect((await budgetOf(world.runtime, JOB)).leases).toBe(0);
    // Raised and resumed: a new token, and only what has no answer is asked.
    await raiseBudget(world.runtime, JOB, { microUsd: 1_000_000 });
    world.submitted.length = 0;
    expect(await world.start({ taskToken: 'T2' })).toEqual({ token: 'waiting' });
    expect(world.submitted).toEqual([world.idOf(0, 100)]);
    await finish(0, 100);
    expect(world.sent[1]).toMatchObject({ done: true, counts: { total: 2, ok: 2 } });
    const totals = await reconcile(world.runtime, JOB);
    expect(totals.calls).toBe(3);
    expect((await budgetOf(world.runtime, JOB)).spent.micros).toBe(totals.microUsd);
  });

  it('ends in ModelUnavailable where most lines failed, and asks those again when its state is retried', async () => {
    await open('embedded', { ids: ids(10) });
    await world.start();
    for (let line = 0; line < 4; line++) await finish(line);
    // Lost twice each.
    for (let minute = 0; minute < 2 * (TTL_MS / 60_000) + 30 && world.sent.length === 0; minute++) {
      world.clock.advance(60_000);
      await world.sweep();
    }
    const cause: unknown = expect.stringContaining('6 of 10');
    expect(world.sent).toEqual([{ error: 'ModelUnavailable', cause }]);
    world.submitted.length = 0;
    // The same task once more hears the same.
    await world.start();
    expect(world.sent).toHaveLength(2);
    expect(world.submitted).toEqual([]);
    await world.start({ taskToken: 'T2' });
    expect(world.submitted).toEqual([4, 5, 6, 7, 8, 9].map((line) => world.idOf(line, 100)));
    for (let line = 4; line < 10; line++) await finish(line, 100);
    expect(world.sent[2]).toMatchObject({ done: true, counts: { total: 10, ok: 10 } });
    // Four that were answered, six twice, six once more.
    expect(await budgetOf(world.runtime, JOB)).toMatchObject({ leases: 0, spent: { calls: 22 } });
    const totals = await reconcile(world.runtime, JOB);
    expect(totals).toMatchObject({ calls: 22, microUsd: 4 * 15 + 6 * 15 });
    expect((await budgetOf(world.runtime, JOB)).spent.micros).toBe(totals.microUsd);
  });

  it('does not ask again for what was refused for good: taken up, it ends with that', async () => {
    await open('embedded', { ids: ids(10) });
    await world.start();
    for (let line = 0; line < 4; line++) await finish(line);
    for (let line = 4; line < 10; line++) await world.deliver(failed(world.idOf(line), 'bad input (400)'));
    expect(world.sent).toMatchObject([{ error: 'ModelUnavailable' }]);
    world.submitted.length = 0;
    await world.start({ taskToken: 'T2' });
    expect(world.submitted).toEqual([]);
    expect(world.sent[1]).toMatchObject({ done: true, counts: { total: 10, ok: 4, failed: 6 } });
  });

  it('refuses to submit while the breaker stays open', async () => {
    await open('embedded');
    await breakerOpen(world.clock.now() + 600_000, 'QUOTA');
    expect(await world.start()).toEqual({ token: 'failed', error: 'ModelUnavailable' });
    expect(world.submitted).toEqual([]);
    world.clock.advance(601_000);
    // One probe at a time: the second line waits for what comes of the first, or its time.
    expect(await passing(world.start({}, LONG_MS))).toEqual({ token: 'waiting' });
    expect(world.submitted).toHaveLength(2);
    expect(await world.stored(world.idOf(0))).toMatchObject({ probe: true });
  });

  it('that nobody waits for is not kept alive, until it gets a new token', async () => {
    await open('embedded', { ids: ['a'] });
    await world.start();
    world.state.open = new Set();
    for (let times = 0; times < 2; times++) {
      world.clock.advance(330_000);
      await world.sweep();
    }
    expect(world.beats.count).toBe(1);
    world.state.open = new Set(['T2']);
    await world.start({ taskToken: 'T2' });
    world.clock.advance(301_000);
    await world.sweep();
    expect(world.beats.count).toBe(2);
  });
});
