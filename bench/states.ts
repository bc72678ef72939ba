import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine, type Engine } from '#local/states/index.ts';
import { memoryObjects } from '#local/states/run/objects.ts';
import type { Json, Records } from '#shared/storage/ports.ts';

/** Transitions a second in memory and durable, and a Distributed Map of 10,000 items (embedded-platform section 12). */

const engineAt = (store: string): Engine =>
  createEngine({
    store,
    artifactsOf: memoryObjects(() => Date.now()),
    records: {} as Records,
    queueOf: () => undefined,
    invoke: async (_name, event) => event,
    onError: (error) => console.error(error),
  });

/** Counts down from `input.n`: two states a round. */
const countdown = {
  QueryLanguage: 'JSONata',
  StartAt: 'More',
  States: {
    More: {
      Type: 'Choice',
      Choices: [{ Condition: '{% $states.input.n > 0 %}', Next: 'Down' }],
      Default: 'Done',
    },
    Down: { Type: 'Pass', Output: { n: '{% $states.input.n - 1 %}' }, Next: 'More' },
    Done: { Type: 'Succeed' },
  },
};

const map = (executionType: string, task: Json): Json => ({
  QueryLanguage: 'JSONata',
  StartAt: 'M',
  States: {
    M: {
      Type: 'Map',
      Items: '{% $range(1, $states.input.items, 1) %}',
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: executionType },
        StartAt: 'T',
        States: { T: task },
      },
      Output: '{% $count($states.result) %}',
      End: true,
    },
  },
});

const noop: Json = {
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  Arguments: { FunctionName: 'noop', Payload: '{% $states.input %}' },
  Output: 1,
  End: true,
};

interface Row {
  what: string;
  seconds: number;
  amount: string;
  target: string;
}

async function timed(engine: Engine, machine: string, inputs: Json[]): Promise<number> {
  const began = performance.now();
  const started = await Promise.all(
    inputs.map((input, at) => engine.start({ machine, name: `${machine}-${at}`, input })),
  );
  for (const { executionArn } of started) {
    const status = await engine.wait(executionArn);
    if (status !== 'SUCCEEDED')
      throw new Error(`${machine}: ${JSON.stringify(await engine.describe(executionArn))}`);
  }
  return (performance.now() - began) / 1000;
}

async function transitions(what: string, store: string, target: string): Promise<Row> {
  const engine = engineAt(store);
  await engine.resume();
  engine.createMachine('countdown', countdown);
  await timed(engine, 'countdown', [{ n: 200 }]);
  engine.createMachine('measured', countdown);
  const before = engine.transitions();
  const seconds = await timed(
    engine,
    'measured',
    Array.from({ length: 40 }, () => ({ n: 1000 })),
  );
  const rate = Math.round((engine.transitions() - before) / seconds);
  await engine.close();
  return { what, seconds, amount: `${rate.toLocaleString('en-GB')} transitions/s`, target };
}

async function distributed(what: string, store: string, executionType: string, items: number): Promise<Row> {
  const engine = engineAt(store);
  await engine.resume();
  engine.createMachine('map', map(executionType, noop));
  const seconds = await timed(engine, 'map', [{ items }]);
  await engine.close();
  return {
    what,
    seconds,
    amount: `${Math.round(items / seconds).toLocaleString('en-GB')} children/s`,
    target: '< 10 s',
  };
}

export default async function run(args: string[]): Promise<void> {
  const items = Number(args[0] ?? 10_000);
  const directory = mkdtempSync(join(tmpdir(), 'agentmill-bench-'));
  let peak = 0;
  const sampler = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20);
  try {
    // The maps first: the peak that counts is theirs.
    const rows: Row[] = [];
    for (const type of ['STANDARD', 'EXPRESS']) {
      const store = join(mkdtempSync(join(directory, 'map-')), 'states.sqlite');
      rows.push(await distributed(`map of ${items}, ${type}, durable`, store, type, items));
    }
    clearInterval(sampler);
    rows.push(await transitions('in memory', ':memory:', '>= 20,000/s'));
    const store = join(mkdtempSync(join(directory, 'rate-')), 'states.sqlite');
    rows.push(await transitions('durable', store, '>= 3,000/s'));
    console.log(`${'what'.padEnd(34)} ${'seconds'.padStart(8)}  ${'measured'.padEnd(26)} target`);
    for (const row of rows) {
      console.log(
        `${row.what.padEnd(34)} ${row.seconds.toFixed(2).padStart(8)}  ${row.amount.padEnd(26)} ${row.target}`,
      );
    }
    console.log(`peak resident memory of the maps: ${Math.round(peak / 1e6)} MB (target < 300 MB)`);
  } finally {
    clearInterval(sampler);
    rmSync(directory, { recursive: true, force: true });
  }
}
