import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { compile, VirtualClock, type Engine } from '#local/states/index.ts';
import { hashOf } from '#shared/determinism/hash.ts';
import type { Json } from '#shared/storage/ports.ts';
import { allEvents, bareEngine, named, type Fields } from '#test/local/states/engine/support.ts';

/** Random valid machines: they end, the same way whether or not the engine is closed and opened again on the way. */

const directory = mkdtempSync(join(tmpdir(), 'agentmill-restart-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const FUNCTION = 'arn:aws:lambda:us-east-1:000000000000:function:f';
const retry = [{ ErrorEquals: ['Bad'], IntervalSeconds: 3, MaxAttempts: 2 }];

/** One state without its transition; `inner` makes the machines within it. */
function stateOf(inner: fc.Arbitrary<Fields> | undefined): fc.Arbitrary<Fields> {
  const value = fc.constantFrom<Json>(
    1,
    'a',
    null,
    { k: [1, 2] },
    '{% $states.input %}',
    '{% [$states.input, 1] %}',
    '{% $states.input.none %}',
  );
  const simple: fc.Arbitrary<Fields>[] = [
    fc.record({ Type: fc.constant('Pass'), Output: value }) as fc.Arbitrary<Fields>,
    fc.record({ Type: fc.constant('Wait'), Seconds: fc.nat(500) }) as fc.Arbitrary<Fields>,
    fc.record(
      {
        Type: fc.constant('Task'),
        Resource: fc.constant(FUNCTION),
        Arguments: value,
        Retry: fc.constant(retry),
        Catch: fc.constant([{ ErrorEquals: ['States.ALL'], Next: 'End' }]),
      },
      { requiredKeys: ['Type', 'Resource'] },
    ) as fc.Arbitrary<Fields>,
  ];
  if (!inner) return fc.oneof(...simple);
  const nested: fc.Arbitrary<Fields>[] = [
    fc.record({
      Type: fc.constant('Parallel'),
      Branches: fc.array(inner, { minLength: 1, maxLength: 3 }),
    }) as fc.Arbitrary<Fields>,
    fc
      .tuple(
        inner,
        fc.nat(3),
        fc.constantFrom<Fields>({}, { ToleratedFailureCount: 2 }, { ToleratedFailurePercentage: 100 }),
      )
      .map(([processor, concurrency, tolerance]) => ({
        Type: 'Map',
        Items: [1, 2, 3, 4],
        MaxConcurrency: concurrency,
        ItemProcessor: processor,
        ...tolerance,
      })),
    fc.tuple(inner, fc.nat(2)).map(([processor, concurrency]) => ({
      Type: 'Map',
      Items: [1, 2, 3],
      MaxConcurrency: concurrency,
      ToleratedFailurePercentage: 50,
      ItemBatcher: { MaxItemsPerBatch: 2 },
      ItemProcessor: { ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' }, ...processor },
      Output: '{% $count($states.result) %}',
    })),
  ];
  return fc.oneof(...simple, ...nested);
}

/** Some states in a row, then the end. Names differ between levels only by scope. */
function scopeOf(depth: number): fc.Arbitrary<Fields> {
  const inner = depth > 0 ? scopeOf(depth - 1) : undefined;
  return fc.array(stateOf(inner), { minLength: 1, maxLength: 3 }).map((states) => ({
    StartAt: 'S0',
    States: {
      ...Object.fromEntries(
        states.map((state, at) => [
          `S${at}`,
          { ...state, Next: at + 1 < states.length ? `S${at + 1}` : 'End' },
        ]),
      ),
      End: { Type: 'Succeed' },
    },
  }));
}

const machines = scopeOf(2).map((scope) => ({ QueryLanguage: 'JSONata', ...scope }));

/** The same answer for the same event, however often it is asked. */
const invoke = async (_name: string, event: Json): Promise<Json> => {
  if (hashOf(event).charCodeAt(0) % 4 === 0) throw named('Bad');
  return event;
};

let runs = 0;
const nowOf = new WeakMap<Engine, VirtualClock>();
function open(store: string, at: number): Engine {
  const clock = new VirtualClock(at);
  const engine = bareEngine({ store, clock, invoke });
  nowOf.set(engine, clock);
  return engine;
}

const START = Date.UTC(2025, 0, 1);

/** What of a result does not depend on names, times and stack traces that differ between runs. */
const essence = (text: string): string =>
  text
    .replaceAll(/[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}/g, '<uuid>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/\\*"trace\\*":\[[^\]]*\]/g, '<trace>')
    .replaceAll(/event id #\d+/g, '<event>');

async function outcome(
  definition: Json,
  restarts: number[],
): Promise<{ result: string; events: number[][] }> {
  const store = restarts.length === 0 ? ':memory:' : join(directory, `run-${runs++}`, 'states.sqlite');
  if (restarts.length > 0) await import('node:fs').then((fs) => fs.mkdirSync(join(store, '..')));
  let engine = open(store, START);
  await engine.resume();
  engine.createMachine('m', definition);
  const { executionArn } = await engine.start({ machine: 'm', name: 'x', input: { n: 1 } });
  for (const rounds of restarts) {
    for (let round = 0; round < rounds; round++) await new Promise((resolve) => setImmediate(resolve));
    const now = nowOf.get(engine)!.now();
    await engine.close();
    engine = open(store, now);
    expect(await engine.resume()).toBe(true);
  }
  await engine.wait(executionArn);
  const { status, output, error, cause } = await engine.describe(executionArn);
  const events = [(await allEvents(engine, executionArn)).map((event) => event.id)];
  expect((await engine.list({ machine: 'm' })).items).toHaveLength(1);
  await engine.close();
  return { result: essence(JSON.stringify({ status, output, error, cause })), events };
}

describe('random machines', () => {
  it('never hang, are never lost, and end the same way with and without restarts in the middle', async () => {
    await fc.assert(
      fc.asyncProperty(
        machines,
        fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }),
        async (definition, restarts) => {
          expect(compile(definition).diagnostics).toEqual([]);
          const whole = await outcome(definition, []);
          const broken = await outcome(definition, restarts);
          expect(broken.result).toBe(whole.result);
          for (const ids of [...whole.events, ...broken.events])
            expect(ids).toEqual(ids.map((_, index) => index + 1));
        },
      ),
      { numRuns: 60, seed: 7, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false },
    );
  });
});
