import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { openBudget } from '#shared/models/budget.ts';
import { ledgerRows } from '#shared/models/ledger.ts';
import { POLICIES, type Candidate, type Hop } from '#shared/models/routes/policy.ts';
import { ProviderError, type LedgerRow, type Provider } from '#shared/models/types.ts';
import { isError } from '#shared/task/errors.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { model, reply, request, scripted, testDoor } from '../support/door.ts';
import { virtualClock, type VirtualClock } from '../support/virtual-clock.ts';

let world: TestRuntime;
let clock: VirtualClock;
beforeEach(async () => {
  clock = virtualClock();
  world = await embeddedRuntime({ clock });
});
afterEach(() => world.close());

const output = {
  name: 'answer',
  schema: { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
};
const price = (inputPerMTok: number, outputPerMTok: number) => ({
  price: [{ from: '2020-01-01', inputPerMTok, outputPerMTok }],
});
const refusing = () =>
  scripted(() => {
    throw new ProviderError('BAD_REQUEST', 'no', { billed: 'no' });
  });
const saying = (text: string) => scripted(() => reply(text));

function route(
  policy: string,
  models: Record<string, unknown>[],
  provider: Record<string, Provider & { calls: unknown[] }>,
) {
  const test = testDoor(world.runtime, {
    models,
    routes: [{ name: 'r', policy, models: models.map(({ name }) => name as string) }],
    provider,
  });
  const ask = (patch = {}) => clock.run(() => test.infer(request('x', { model: 'r', ...patch })));
  const rows = async (): Promise<LedgerRow[]> => {
    const all: LedgerRow[] = [];
    for await (const row of ledgerRows(world.runtime.records, test.ctx.jobId)) all.push(row);
    return all.sort((a, b) => a.attempt - b.attempt);
  };
  return { test, ask, rows };
}

describe('routes through the door', () => {
  it('static goes to the next model after a failure, says why, and keeps the answer for the route', async () => {
    const provider = { a: refusing(), b: saying('fine') };
    const { ask, rows } = route('static', [model('a'), model('b')], provider);
    const { result, trace } = await ask();
    expect(result).toMatchObject({ status: 'ok', model: 'b', text: 'fine' });
    expect(trace.attempts).toBe(2);
    expect((await rows()).map((row) => [row.model, row.kind, row.routeReason])).toEqual([
      ['a', 'call', 'static: first'],
      ['b', 'fallback', 'static: after a BAD_REQUEST'],
    ]);
    expect((await ask()).trace.cached).toBe(true);
    expect(provider.a.calls).toHaveLength(1);
  });

  it('static stops at an unusable answer', async () => {
    const provider = { a: saying('garbage'), b: saying('{"a":1}') };
    const { ask } = route('static', [model('a'), model('b')], provider);
    expect((await ask({ output })).result).toMatchObject({ status: 'rejected', model: 'a' });
    expect(provider.b.calls).toHaveLength(0);
  });

  it('cascade goes on after an unusable answer too, to the end of its list', async () => {
    const provider = { a: saying('garbage'), b: refusing(), c: saying('{"a":1}') };
    const models = [model('a'), model('b'), model('c')];
    const { ask, rows } = route('cascade', models, provider);
    expect((await ask({ output })).result).toMatchObject({ status: 'ok', model: 'c', output: { a: 1 } });
    expect((await rows()).map((row) => [row.model, row.kind, row.outcome])).toEqual([
      ['a', 'call', 'rejected'],
      ['a', 'reask', 'rejected'],
      ['b', 'fallback', 'error'],
      ['c', 'fallback', 'ok'],
    ]);
  });

  it('cascade gives the last answer when none is usable', async () => {
    const { ask } = route('cascade', [model('a'), model('b')], { a: refusing(), b: saying('garbage') });
    expect((await ask({ output })).result).toMatchObject({
      status: 'rejected',
      model: 'b',
      error: { code: 'PARSE_ERROR', raw: 'garbage' },
    });
  });

  it('cheapest asks in ascending expected cost, ties by name', async () => {
    const provider = { dear: refusing(), b: refusing(), a: refusing(), cheap: refusing() };
    const { ask, rows } = route(
      'cheapest',
      [
        model('dear', price(5, 20)),
        model('b', price(1, 2)),
        model('a', price(1, 2)),
        model('cheap', price(0.1, 0.2)),
      ],
      provider,
    );
    expect((await ask()).result).toMatchObject({ status: 'failed', model: 'dear' });
    expect((await rows()).map((row) => row.model)).toEqual(['cheap', 'a', 'b', 'dear']);
  });

  it('leaves out models that are disabled, lack the tools or are too small', async () => {
    const provider = { off: saying('off'), plain: saying('plain'), tiny: saying('tiny'), fit: saying('fit') };
    const { ask } = route(
      'static',
      [
        model('off', { enabled: false, features: { tools: true } }),
        model('plain', { features: { tools: false } }),
        model('tiny', { features: { tools: true }, contextTokens: 1100, maxOutputTokens: 1000 }),
        model('fit', { features: { tools: true } }),
      ],
      provider,
    );
    const tools = [{ name: 'add', description: 'adds', parameters: { type: 'object' } }];
    const messages = [{ role: 'user' as const, content: 'word '.repeat(500) }];
    expect((await ask({ tools, messages })).result).toMatchObject({ status: 'ok', model: 'fit' });
  });

  it('after a context overflow only larger models are tried', async () => {
    const overflow = scripted(() => {
      throw new ProviderError('CONTEXT_OVERFLOW', 'long', { billed: 'no' });
    });
    const provider = { a: overflow, same: saying('same'), larger: saying('larger') };
    const models = [model('a'), model('same'), model('larger', { contextTokens: 131_072 })];
    const { ask } = route('static', models, provider);
    expect((await ask()).result).toMatchObject({ status: 'ok', model: 'larger' });
    expect(provider.same.calls).toHaveLength(0);
  });

  it('leaves out a model whose breaker is open', async () => {
    const quota = scripted(() => {
      throw new ProviderError('QUOTA', 'out of credit', { billed: 'no', httpStatus: 402 });
    });
    const provider = { a: quota, b: saying('fine') };
    const { ask } = route('static', [model('a'), model('b')], provider);
    for (const id of ['x', 'y', 'z']) {
      const messages = [{ role: 'user' as const, content: id }];
      expect((await ask({ id, messages })).result.model).toBe('b');
    }
    expect(quota.calls).toHaveLength(1);
  });

  it('[model-inference 23] cheapest and cascade pass over what cannot be paid; nothing affordable is BudgetExhausted', async () => {
    for (const policy of ['cheapest', 'cascade']) {
      const provider = { cheap: saying('garbage'), dear: saying('{"a":1}') };
      const models = [model('cheap'), model('dear', price(50, 500))];
      const { ask, test } = route(policy, models, provider);
      const jobId = `test-workflow.${policy === 'cascade' ? 'c' : 'd'}aaaaaaaaaaaaaaaaaaaaaaaaa`;
      test.ctx.jobId = jobId;
      await openBudget(world.runtime, jobId, { microUsd: 10_000 });
      expect((await ask({ output, cache: 'off' })).result).toMatchObject({
        status: 'rejected',
        model: 'cheap',
      });
      expect(provider.dear.calls).toHaveLength(0);
    }
    const provider = { dear: saying('never') };
    const { ask, test } = route('cascade', [model('dear', price(50, 500))], provider);
    test.ctx.jobId = 'test-workflow.eaaaaaaaaaaaaaaaaaaaaaaaaa';
    await openBudget(world.runtime, test.ctx.jobId, { microUsd: 10_000 });
    const error: unknown = await ask().catch((e: unknown) => e);
    expect(isError(error, 'BudgetExhausted')).toBe(true);
    expect(provider.dear.calls).toHaveLength(0);
  });
});

describe('policies', () => {
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 0 });
  it.each(Object.values(POLICIES))('$name chooses a candidate it has not tried, or nothing', (policy) => {
    fc.assert(
      fc.property(
        names,
        names,
        fc.constantFrom('failed', 'rejected', 'ok'),
        fc.array(fc.nat(5), { minLength: 4, maxLength: 4 }),
        (listed, tried, status, costs) => {
          const catalogue = listed.map((name, n): Candidate => ({
            model: name,
            expectedMicros: costs[n]!,
            worstMicros: 10,
            successRate: 1,
          }));
          const history = tried.map((name): Hop => ({ model: name, status: status as Hop['status'] }));
          const choice = policy.choose(request('x'), catalogue, history);
          expect(policy.choose(request('x'), catalogue, history)).toEqual(choice);
          if (!choice) return;
          expect(listed).toContain(choice.model);
          expect(tried).not.toContain(choice.model);
          expect(history.length === 0 || status !== 'ok').toBe(true);
        },
      ),
    );
  });
});
