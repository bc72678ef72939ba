import { afterEach, describe, expect, it } from 'vitest';
import { budgetOf, openBudget } from '#shared/models/budget.ts';
import { cacheKey, keyedModel } from '#shared/models/cache/key.ts';
import { ledgerRows, reconcile, totalsOf } from '#shared/models/ledger.ts';
import { parseRegistry } from '#shared/models/registry.ts';
import { ProviderError, type InferRequest } from '#shared/models/types.ts';
import { isError } from '#shared/task/errors.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { model, reply, request, scripted, testDoor } from '../support/door.ts';
import { virtualClock, type VirtualClock } from '../support/virtual-clock.ts';

let world: TestRuntime;
let clock: VirtualClock;
const open = async (): Promise<TestRuntime['runtime']> => {
  clock = virtualClock();
  world = await embeddedRuntime({ clock });
  return world.runtime;
};
afterEach(() => world?.close());

const output = {
  name: 'answer',
  schema: {
    type: 'object',
    properties: { a: { type: 'integer' } },
    required: ['a'],
    additionalProperties: false,
  },
};

describe('the door', () => {
  it('[model-inference 2] an unknown model is NotFound and nothing is called', async () => {
    const provider = scripted(() => reply('no'));
    const test = testDoor(await open(), { provider });
    const error: unknown = await test.infer(request('x', { model: 'nobody' })).catch((e: unknown) => e);
    expect(isError(error, 'NotFound')).toBe(true);
    expect(provider.calls).toHaveLength(0);
  });

  it('[model-inference 17] length-cut JSON is TRUNCATED after 1 call; garbage is PARSE_ERROR with raw after exactly 2', async () => {
    const cut = scripted(() => ({ ...reply('{"a":'), finish: 'length' as const }));
    const first = testDoor(await open(), { provider: cut });
    expect((await clock.run(() => first.infer(request('x', { output })))).result).toMatchObject({
      status: 'rejected',
      error: { code: 'TRUNCATED' },
    });
    expect(cut.calls).toHaveLength(1);
    const garbage = scripted(() => reply('I would rather not.'));
    const second = testDoor(world.runtime, { provider: garbage });
    const { result } = await clock.run(() => second.infer(request('y', { output })));
    expect(result).toMatchObject({
      status: 'rejected',
      error: { code: 'PARSE_ERROR', raw: 'I would rather not.' },
    });
    expect(garbage.calls).toHaveLength(2);
  });

  it('[model-inference 18] the key ignores property order and explicit defaults, and changes with what decides the answer', () => {
    const entry = parseRegistry({ models: [model('m')] }).models.get('m')!;
    const key = (r: InferRequest, patch = {}) => cacheKey(r, keyedModel({ ...entry, ...patch }));
    const base = request('x', { params: { seed: 1 } });
    const same: InferRequest = {
      messages: [{ content: 'Say x', role: 'user' }],
      model: 'm',
      role: { version: '1', name: 'test/role' },
      id: 'other',
      params: { sample: 0, temperature: 0, topP: 1, seed: 1, stop: [], maxOutputTokens: 1000 },
      meta: { a: 1 },
      timeoutMs: 5,
    };
    expect(key(same)).toBe(key(base));
    const image = (sha256: string): InferRequest =>
      request('x', {
        messages: [
          { role: 'user', content: [{ type: 'image', key: 'k', sha256, mime: 'image/png', bytes: 3 }] },
        ],
      });
    const all = [
      key(base),
      key({ ...base, role: { name: 'test/role', version: '2' } }),
      key(base, { revision: 'r2' }),
      key({ ...base, params: { seed: 1, sample: 1 } }),
      key(image('a'.repeat(64))),
      key(image('b'.repeat(64))),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  it('[model-inference 19] 20 identical concurrent calls make 1 paid call and get identical results', async () => {
    const runtime = await open();
    const provider = scripted(async () => {
      await clock.sleep(500);
      return reply('fine');
    });
    const test = testDoor(runtime, { provider });
    const all = await clock.run(() =>
      Promise.all(Array.from({ length: 20 }, () => test.infer(request('x')))),
    );
    expect(provider.calls).toHaveLength(1);
    expect(new Set(all.map(({ result }) => JSON.stringify(result))).size).toBe(1);
    expect(await totalsOf(runtime, test.ctx.jobId)).toMatchObject({
      calls: 1,
      cacheHits: 19,
      microUsd: 750,
      savedMicros: 19 * 750,
    });
  });

  it("lets a caller go who is stopped while it waits for another's call", async () => {
    const runtime = await open();
    const answer = Promise.withResolvers<ReturnType<typeof reply>>();
    const provider = scripted(() => answer.promise);
    const test = testDoor(runtime, { provider });
    const leads = test.infer(request('x'));
    const stop = new AbortController();
    const follows = test.infer(request('x'), { signal: stop.signal }).catch((e: unknown) => e);
    const late = test.infer(request('x'), { signal: AbortSignal.abort() }).catch((e: unknown) => e);
    await clock.run(async () => {
      await clock.sleep(10);
      stop.abort();
      expect(isError(await follows, 'Cancelled')).toBe(true);
      expect(isError(await late, 'Cancelled')).toBe(true);
      answer.resolve(reply('fine'));
      expect((await leads).result.status).toBe('ok');
    });
    expect(provider.calls).toHaveLength(1);
  });

  it('[model-inference 20] errors and rejects never come from the cache', async () => {
    const runtime = await open();
    const provider = scripted((_, n) => {
      if (n === 1) throw new ProviderError('BAD_REQUEST', 'no', { billed: 'no' });
      return n <= 3 ? reply('garbage') : reply('{"a":1}');
    });
    const test = testDoor(runtime, { provider });
    const ask = () => clock.run(() => test.infer(request('x', { output })));
    expect((await ask()).result.error?.code).toBe('BAD_REQUEST');
    expect((await ask()).result.error?.code).toBe('PARSE_ERROR');
    expect((await ask()).result).toMatchObject({ status: 'ok', output: { a: 1 } });
    expect((await ask()).trace.cached).toBe(true);
    expect(provider.calls).toHaveLength(4);
  });

  it('[model-inference 23] a fallback dearer than what remains is not called', async () => {
    const runtime = await open();
    const cheap = scripted(() => {
      throw new ProviderError('BAD_REQUEST', 'no', { billed: 'no' });
    });
    const dear = scripted(() => reply('never'));
    const test = testDoor(runtime, {
      models: [
        model('cheap'),
        model('dear', { price: [{ from: '2020-01-01', inputPerMTok: 50, outputPerMTok: 500 }] }),
      ],
      routes: [{ name: 'r', policy: 'static', models: ['cheap', 'dear'] }],
      provider: { cheap, dear },
    });
    await openBudget(runtime, test.ctx.jobId, { microUsd: 10_000 });
    const { result } = await clock.run(() => test.infer(request('x', { model: 'r' })));
    expect(result).toMatchObject({ status: 'failed', model: 'cheap' });
    expect(dear.calls).toHaveLength(0);
  });

  it('[model-inference 4] a price of tomorrow leaves the price version of today', async () => {
    const runtime = await open();
    const prices = [
      { from: '2025-12-01', inputPerMTok: 1, outputPerMTok: 1 },
      { from: '2026-01-02', inputPerMTok: 9, outputPerMTok: 9 },
    ];
    const test = testDoor(runtime, {
      models: [model('m', { price: prices })],
      provider: scripted(() => reply('x', 1_000_000, 0)),
    });
    expect((await clock.run(() => test.infer(request('x')))).trace.costMicros).toBe(1_000_000);
    const rows: unknown[] = [];
    for await (const row of ledgerRows(runtime.records, test.ctx.jobId)) rows.push(row.priceVersion);
    expect(rows).toEqual(['m@2025-12-01']);
  });

  it('[model-inference 29] prompts and answers never reach the default log', async () => {
    const runtime = await open();
    const test = testDoor(runtime, { provider: scripted(() => reply('CANARY-ANSWER')) });
    await clock.run(() =>
      test.infer(request('x', { messages: [{ role: 'user', content: 'CANARY-PROMPT' }] })),
    );
    await clock.run(() => test.door.close());
    const text = JSON.stringify(world.logs);
    expect(text).toContain('model call');
    expect(text).not.toContain('CANARY');
  });

  it('retries what may pass, with its own reservation each time, and charges time-outs of token models whole', async () => {
    const runtime = await open();
    const provider = scripted((_, n) => {
      if (n === 1) throw new ProviderError('TIMEOUT', 'slow', { billed: 'unknown' });
      if (n === 2) throw new ProviderError('THROTTLED', 'wait', { billed: 'no', retryAfterMs: 7000 });
      return reply('fine');
    });
    const test = testDoor(runtime, { provider });
    await openBudget(runtime, test.ctx.jobId, { microUsd: 1_000_000 });
    const start = clock.now();
    const { result, trace } = await clock.run(() => test.infer(request('x')));
    expect(result.status).toBe('ok');
    expect(trace.attempts).toBe(3);
    expect(clock.now() - start).toBeGreaterThanOrEqual(7000);
    await clock.run(() => test.door.release(test.ctx.jobId));
    const totals = await clock.run(() => reconcile(runtime, test.ctx.jobId));
    expect(totals.microUsd).toBe(trace.costMicros);
    expect(trace.costMicros).toBeGreaterThan(750 + 2000);
    expect((await budgetOf(runtime, test.ctx.jobId)).spent.micros).toBe(totals.microUsd);
  });
});
