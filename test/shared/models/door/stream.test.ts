import { afterEach, describe, expect, it } from 'vitest';
import { streamThrough } from '#shared/models/door/stream.ts';
import { ledgerRows } from '#shared/models/ledger.ts';
import {
  ProviderError,
  type InferEvent,
  type InferRequest,
  type LedgerRow,
  type Provider,
  type ProviderDelta,
} from '#shared/models/types.ts';
import { isError } from '#shared/task/errors.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import { model, reply, request, testDoor, type TestDoor } from '../support/door.ts';
import { virtualClock, type VirtualClock } from '../support/virtual-clock.ts';

let world: TestRuntime;
let clock: VirtualClock;
afterEach(() => world.close());

const text = (delta: string): ProviderDelta => ({ type: 'text', delta });
const STOP: ProviderDelta[] = [
  { type: 'usage', usage: { input: 100, output: 20 } },
  { type: 'finish', finish: 'stop' },
];
const cut = (code: 'BAD_RESPONSE' | 'UNAVAILABLE'): ProviderError =>
  new ProviderError(code, 'cut', { billed: code === 'UNAVAILABLE' ? 'no' : 'unknown' });

/** A door whose model streams the nth script at the nth call; an error in it is thrown there. */
async function streaming(scripts: (ProviderDelta | ProviderError)[][], patch: Record<string, unknown> = {}) {
  clock = virtualClock();
  world = await embeddedRuntime({ clock });
  let calls = 0;
  const provider: Provider = {
    name: 'openai',
    call: async () => reply('not asked'),
    async *stream({ signal }) {
      for (const step of scripts[Math.min(calls++, scripts.length - 1)]!) {
        await clock.sleep(10, signal);
        if (step instanceof ProviderError) throw step;
        yield step;
      }
    },
  };
  const features = { jsonSchema: true, tools: true, streaming: true };
  const test = testDoor(world.runtime, { provider, models: [model('m', { features, ...patch })] });
  return { test, calls: () => calls };
}

const all = (test: TestDoor, one: InferRequest): Promise<InferEvent[]> =>
  clock.run(async () => {
    const events: InferEvent[] = [];
    for await (const event of streamThrough(test.door, one, test.ctx)) events.push(event);
    return events;
  });

/** The text a reader holds after the events: `reset` voids what came before. */
const held = (events: InferEvent[]): string =>
  events.reduce((all, e) => (e.type === 'text' ? all + e.delta : e.type === 'reset' ? '' : all), '');

async function rowsOf(test: TestDoor): Promise<LedgerRow[]> {
  const rows: LedgerRow[] = [];
  for await (const row of ledgerRows(world.runtime.records, test.ctx.jobId)) rows.push(row);
  return rows.sort((a, b) => a.attempt - b.attempt);
}

describe('inferStream', () => {
  it('gives start, deltas as they come, usage and the end; the same again from the cache', async () => {
    const { test, calls } = await streaming([[text('Hé'), text('llo 👩‍🔬'), ...STOP]]);
    const events = await all(test, request('x'));
    expect(events.map(({ type }) => type)).toEqual(['start', 'text', 'text', 'usage', 'end']);
    expect(events.at(-1)).toMatchObject({
      result: { status: 'ok', text: 'Héllo 👩‍🔬', tokens: { input: 100, output: 20 } },
      trace: { attempts: 1, cached: false, firstTokenMs: 10 },
    });
    const again = await all(test, request('x'));
    expect(again.map(({ type }) => type)).toEqual(['start', 'text', 'end']);
    expect(held(again)).toBe('Héllo 👩‍🔬');
    expect(again.at(-1)).toMatchObject({ trace: { attempts: 0, cached: true } });
    expect(calls()).toBe(1);
  });

  it('retries silently before the first delta', async () => {
    const { test } = await streaming([[cut('UNAVAILABLE')], [text('fine'), ...STOP]]);
    const events = await all(test, request('x'));
    expect(events.map(({ type }) => type)).toEqual(['start', 'text', 'usage', 'end']);
    expect(events.at(-1)).toMatchObject({ result: { text: 'fine' }, trace: { attempts: 2 } });
  });

  it('says reset after a stream was cut, and charges the cut attempt', async () => {
    const { test } = await streaming([
      [{ type: 'reasoning', delta: 'Let me' }, text('Once up'), cut('BAD_RESPONSE')],
      [text('fine'), ...STOP],
    ]);
    const events = await all(test, request('x'));
    expect(events.map(({ type }) => type)).toEqual([
      'start',
      'reasoning',
      'text',
      'reset',
      'text',
      'usage',
      'end',
    ]);
    expect(held(events)).toBe('fine');
    const [first, second] = await rowsOf(test);
    expect(first).toMatchObject({ outcome: 'error', errorCode: 'BAD_RESPONSE', billed: 'unknown' });
    expect(first!.costMicros).toBe(first!.reservedMicros);
    expect(second).toMatchObject({ outcome: 'ok', billed: 'yes', firstTokenMs: 10 });
  });

  it('voids reasoning too when that is all there was', async () => {
    const { test } = await streaming([
      [{ type: 'reasoning', delta: 'Let me' }, cut('BAD_RESPONSE')],
      [{ type: 'reasoning', delta: 'Hm' }, text('fine'), ...STOP],
    ]);
    const events = await all(test, request('x'));
    expect(events.map(({ type }) => type)).toEqual([
      'start',
      'reasoning',
      'reset',
      'reasoning',
      'text',
      'usage',
      'end',
    ]);
    expect(events.at(-1)).toMatchObject({ result: { reasoning: 'Hm', text: 'fine' } });
  });

  it('ends in a failed result when every stream is cut', async () => {
    const { test, calls } = await streaming([[text('Once up'), cut('BAD_RESPONSE')]]);
    const events = await all(test, request('x'));
    expect(events.at(-1)).toMatchObject({
      type: 'end',
      result: { status: 'failed', finish: 'error', text: '', error: { code: 'BAD_RESPONSE' } },
      trace: { attempts: 3 },
    });
    expect(calls()).toBe(3);
    expect(events.filter(({ type }) => type === 'reset').length).toBeGreaterThanOrEqual(2);
  });

  it('resets for the one re-ask of an answer that is no JSON', async () => {
    const { test } = await streaming([
      [text('I would rather not.'), ...STOP],
      [text('{"a":'), text('1}'), ...STOP],
    ]);
    const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] };
    const events = await all(test, request('x', { output: { name: 'answer', schema } }));
    expect(events).toContainEqual({ type: 'reset', reason: 'reask' });
    expect(held(events)).toBe('{"a":1}');
    expect(events.at(-1)).toMatchObject({ result: { status: 'ok', output: { a: 1 } } });
    expect((await rowsOf(test)).map(({ kind, outcome }) => [kind, outcome])).toEqual([
      ['call', 'rejected'],
      ['reask', 'ok'],
    ]);
  });

  it('gives tool calls piece by piece', async () => {
    const { test } = await streaming([
      [
        { type: 'tool', index: 0, id: 'c1', name: 'add', argumentsDelta: '{"a":' },
        { type: 'tool', index: 0, argumentsDelta: '1}' },
        { type: 'finish', finish: 'tool_calls' },
      ],
    ]);
    const tools = [{ name: 'add', description: 'adds', parameters: { type: 'object' } }];
    const events = await all(test, request('x', { tools }));
    expect(events.filter(({ type }) => type === 'tool')).toHaveLength(2);
    expect(events.at(-1)).toMatchObject({
      result: { finish: 'tool_calls', toolCalls: [{ id: 'c1', name: 'add', arguments: { a: 1 } }] },
    });
  });

  it('gives the text of an endpoint that cannot stream in one delta', async () => {
    const { test } = await streaming([[]], { features: { streaming: false } });
    const events = await all(test, request('x'));
    expect(events.map(({ type }) => type)).toEqual(['start', 'text', 'end']);
    expect(held(events)).toBe('not asked');
  });

  it('stops and settles the call when its reader goes away', async () => {
    const { test } = await streaming([
      [text('a'), ...Array.from({ length: 1000 }, () => text('b')), ...STOP],
    ]);
    await clock.run(async () => {
      for await (const event of streamThrough(test.door, request('x'), test.ctx))
        if (event.type === 'text') break;
    });
    expect(await rowsOf(test)).toMatchObject([{ state: 'settled', outcome: 'cancelled' }]);
    expect(test.door.purse(test.ctx.jobId).idle).toBe(true);
  });

  it('throws what infer throws', async () => {
    const { test } = await streaming([[]]);
    const error: unknown = await all(test, request('x', { model: 'nobody' })).catch((e: unknown) => e);
    expect(isError(error, 'NotFound')).toBe(true);
  });

  it('lets listeners of one request share its call, each told the whole answer', async () => {
    const { test, calls } = await streaming([[text('one '), text('answer'), ...STOP]]);
    const [first, second] = await clock.run(() =>
      Promise.all(
        ['a', 'b'].map(async () => {
          const events: InferEvent[] = [];
          const one = request('x');
          for await (const event of streamThrough(test.door, one, test.ctx)) events.push(event);
          return events;
        }),
      ),
    );
    expect(held(first!)).toBe('one answer');
    expect(held(second!)).toBe('one answer');
    expect(calls()).toBe(1);
  });
});
