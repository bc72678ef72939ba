import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HistoryEvent, Json } from '#shared/storage/ports.ts';
import { compile } from '#local/states/language/index.ts';
import { compare, normalise } from './compare.ts';
import { testState } from './test-state.ts';
import { lambdas } from './lambdas.ts';
import { makeWorld } from '#local/states/run/world.ts';
import { NO_TASKS } from '#local/states/run/tasks-module.ts';

/** Executions recorded from the real service, read in place; no copy of them is kept here. */

const FILE = resolve(import.meta.dirname, '../../../shared/conformance/states/cases.json');
const present = existsSync(FILE);

export interface RecordedCase {
  id: string;
  kind: 'execution' | 'test_state' | 'refused';
  group: string;
  definition: { [key: string]: Json };
  input: Json;
  features: string[];
  setup: { service: string; operation: string; params: { Bucket: string; Key?: string; Body?: string } }[];
  lambdas: Record<string, string>;
  params?: { [key: string]: Json };
  expected: {
    status?: string;
    output?: Json;
    error?: string;
    cause?: string;
    nextState?: string;
    volatile?: string[];
    events?: [string, string?][];
    history?: { id: number | number[]; type: string }[];
    inspectionData?: { [key: string]: Json };
  };
}

const cases: RecordedCase[] = present
  ? (JSON.parse(readFileSync(FILE, 'utf8')) as { cases: RecordedCase[] }).cases
  : [];
const short = (id: string): string => id.split('::').slice(-1)[0]!.split('#')[0]!;

interface Outcome {
  name: string;
  features: string[];
  status: boolean;
  value: boolean;
  cause: boolean;
  events: boolean;
  notes: string[];
}

async function runCase(recorded: RecordedCase): Promise<Outcome> {
  const world = makeWorld({
    tasks: { ...NO_TASKS, functions: lambdas(recorded.lambdas) },
    virtualClock: true,
    report: () => {},
  });
  try {
    for (const { operation, params } of recorded.setup) {
      if (operation === 'put_object')
        await world.api.objects.put(params.Bucket, params.Key!, params.Body ?? '');
      // A bucket in memory is there once something was put into it.
      else await world.api.objects.put(params.Bucket, 'made-by-the-setup', '');
    }
    const created = world.engine.createMachine('recorded', recorded.definition);
    expect(created.diagnostics).toEqual([]);
    const { executionArn } = await world.engine.start({
      machine: 'recorded',
      name: 'run',
      input: recorded.input,
    });
    await world.engine.wait(executionArn);
    const description = await world.engine.describe(executionArn);
    const { events } = await world.engine.history(executionArn, { limit: 1000 });
    return judge(recorded, description, events);
  } finally {
    await world.close();
  }
}

function judge(
  recorded: RecordedCase,
  got: { status: string; output?: Json; error?: string; cause?: string },
  events: HistoryEvent[],
): Outcome {
  const { expected } = recorded;
  const notes: string[] = [];
  const same = (what: string, a: unknown, b: unknown, volatile: string[] = []): boolean => {
    const difference = compare(a, b, volatile);
    if (difference !== undefined) notes.push(`${what}: ${difference}`);
    return difference === undefined;
  };
  const status = same('status', expected.status, got.status);
  const value =
    same('output', expected.output, got.output, expected.volatile) &&
    same('error', expected.error, got.error);
  const cause = same('cause', expected.cause, got.cause);
  const sequence = same(
    'events',
    normalise(expected.events!),
    normalise(events.map((event) => [event.type])),
  );
  if (!sequence && hasGap(expected.history!)) {
    notes.push('the recorded ids skip an event: the recording leaves out the Parallel state’s last event');
  }
  return {
    name: short(recorded.id),
    features: recorded.features,
    status,
    value,
    cause,
    events: sequence,
    notes,
  };
}

/** Whether the recording itself shows that events are missing from it: fewer events than the last one's id. */
const hasGap = (history: { id: number | number[] }[]): boolean => Number(history.at(-1)!.id) > history.length;

describe.skipIf(!present)(
  'recorded behaviour of the real service (skipped where ../shared/conformance/states is absent)',
  () => {
    it('34 executions: status, output or error of all; 95 % of causes; 90 % of event sequences', async () => {
      const outcomes: Outcome[] = [];
      for (const recorded of cases.filter((each) => each.kind === 'execution'))
        outcomes.push(await runCase(recorded));
      printTable(outcomes);
      const share = (key: 'cause' | 'events'): number =>
        outcomes.filter((each) => each[key]).length / outcomes.length;
      expect(
        outcomes.filter((each) => !each.status || !each.value).map((each) => [each.name, ...each.notes]),
      ).toEqual([]);
      expect(share('cause')).toBeGreaterThanOrEqual(0.95);
      expect(share('events')).toBeGreaterThanOrEqual(0.9);
      expect(outcomes.length).toBeGreaterThan(0);
    });

    it('previousEventId of every recorded event outside Parallel', async () => {
      for (const recorded of cases.filter(
        (each) => each.kind === 'execution' && !each.features.includes('Parallel'),
      )) {
        const world = makeWorld({
          tasks: { ...NO_TASKS, functions: lambdas(recorded.lambdas) },
          virtualClock: true,
          report: () => {},
        });
        for (const { operation, params } of recorded.setup) {
          await world.api.objects.put(
            params.Bucket,
            operation === 'put_object' ? params.Key! : 'made',
            params.Body ?? '',
          );
        }
        world.engine.createMachine('recorded', recorded.definition);
        const { executionArn } = await world.engine.start({
          machine: 'recorded',
          name: 'run',
          input: recorded.input,
        });
        await world.engine.wait(executionArn);
        const { events } = await world.engine.history(executionArn, { limit: 1000 });
        const links = (list: { id: unknown; previousEventId?: unknown; type: string }[]) =>
          list.map((event) => `${String(event.id)} <- ${String(event.previousEventId)} ${event.type}`);
        expect(links(events), recorded.id).toEqual(links(recorded.expected.history!));
        await world.close();
      }
    });

    it('single states: every case of TestState that the engine has the features for', async () => {
      const rows: string[] = [];
      const wrong: unknown[] = [];
      let run = 0;
      for (const recorded of cases.filter((each) => each.kind === 'test_state')) {
        const result = await testState(recorded.definition, recorded.input, recorded.params ?? {});
        if (!('status' in result)) {
          rows.push(
            `  ${short(recorded.id)}: ${'unsupported' in result ? result.unsupported : result.refused.message}`,
          );
          continue;
        }
        run++;
        const { status, output, error, cause, nextState } = recorded.expected;
        const difference = compare(
          { status, output, error, cause, nextState },
          {
            status: result.status,
            output: result.output,
            error: result.error,
            cause: result.cause,
            nextState: result.nextState,
          },
          (recorded.expected.volatile ?? []).map((path) => path),
        );
        if (difference !== undefined) wrong.push([short(recorded.id), difference]);
      }
      console.log(
        `Single states: ${run} run, ${rows.length} not supported${rows.length > 0 ? `\n${rows.join('\n')}` : ''}`,
      );
      expect(wrong).toEqual([]);
      expect(run).toBeGreaterThanOrEqual(48);
    });

    it('refusals: Map needs a mock, and its mocked result is an array', async () => {
      const refused = cases.filter((each) => each.kind === 'refused');
      expect(refused.length).toBe(3);
      for (const recorded of refused) {
        const { Error: expected } = recorded.expected.error as unknown as {
          Error: { Code: string; Message: string };
        };
        const result = await testState(recorded.definition, recorded.input, recorded.params ?? {});
        expect(result, recorded.id).toMatchObject({
          refused: { code: expected.Code, message: expected.Message },
        });
      }
    });
  },
);

it.skipIf(present)('recorded behaviour is not at hand: conformance was NOT checked', () => {
  expect(compile('{}').result).toBe('FAIL');
});

function printTable(outcomes: Outcome[]): void {
  const features = [...new Set(outcomes.flatMap((each) => each.features))].sort();
  const lines = [`${'feature'.padEnd(24)} cases status value cause events`];
  for (const feature of [...features, undefined]) {
    const of = outcomes.filter((each) => feature === undefined || each.features.includes(feature));
    const count = (key: 'status' | 'value' | 'cause' | 'events'): string =>
      String(of.filter((each) => each[key]).length).padStart(6);
    lines.push(
      `${(feature ?? 'all').padEnd(24)} ${String(of.length).padStart(5)} ${count('status')}${count('value')}${count('cause')}${count('events')}`,
    );
  }
  const different = outcomes.filter((each) => each.notes.length > 0);
  for (const each of different) lines.push(`differs: ${each.name}\n    ${each.notes.join('\n    ')}`);
  console.log(lines.join('\n'));
}
