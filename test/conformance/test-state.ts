import { StateFailed } from '#local/states/engine/failure.ts';
import { createEngine, VirtualClock } from '#local/states/index.ts';
import { memoryObjects } from '#local/states/run/objects.ts';
import type { HistoryEvent, Json, Records } from '#shared/storage/ports.ts';

/**
 * What the service's TestState API does, with our engine: one state runs alone, and a mock stands for what it calls.
 * A mocked Task or Map becomes a Task whose function gives the mocked result or error; everything else about the state
 * (Output, Assign, Retry, Catch) is the engine's own.
 */

type Fields = { [key: string]: Json };

export type TestStateResult =
  | { unsupported: string }
  | { refused: { code: string; message: string } }
  | { status: string; output?: Json; error?: string; cause?: string; nextState?: string };

const MOCK = 'arn:aws:lambda:us-east-1:000000000000:function:mock';
const MAP_FIELDS = [
  'Items',
  'ItemReader',
  'ItemSelector',
  'ItemBatcher',
  'ItemProcessor',
  'ResultWriter',
  'Label',
  'MaxConcurrency',
  'ToleratedFailureCount',
  'ToleratedFailurePercentage',
];

interface Mock {
  result?: string;
  errorOutput?: { error: string; cause: string };
}

export async function testState(definition: Fields, input: Json, params: Fields): Promise<TestStateResult> {
  const whole = 'States' in definition ? (definition['States'] as { [name: string]: Fields }) : undefined;
  const name = whole ? String(params['stateName'] ?? definition['StartAt']) : 'StateName';
  const state = whole ? whole[name]! : definition;
  const mock = params['mock'] as Mock | undefined;
  const kind = state['Type'];
  if (kind === 'Map' || kind === 'Parallel') {
    if (!mock) {
      const message =
        'TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]';
      return { refused: { code: 'InvalidDefinition', message } };
    }
    if (mock.result !== undefined && !state['ResultWriter'] && !Array.isArray(JSON.parse(mock.result))) {
      return { refused: { code: 'ValidationException', message: 'Mocked result must be an array.' } };
    }
  } else if (kind === 'Task' && !mock) {
    return { unsupported: 'a Task without a mock calls the service' };
  }
  const events = await runAlone(
    name,
    mocked(state, mock !== undefined),
    input,
    mockedFunction(state, mock, params),
  );
  return 'unsupported' in events ? events : resultOf(name, events.events);
}

/** The state with a function in the place of what it would call. */
function mocked(state: Fields, isMocked: boolean): Fields {
  const { QueryLanguage: _language, ...fields } = state;
  if (!isMocked) return fields;
  for (const field of MAP_FIELDS) delete fields[field];
  return { ...fields, Type: 'Task', Resource: MOCK };
}

function mockedFunction(state: Fields, mock: Mock | undefined, params: Fields): () => Json {
  return () => {
    if (mock?.errorOutput) throw new StateFailed(mock.errorOutput);
    const failures = (params['stateConfiguration'] as Fields | undefined)?.['mapIterationFailureCount'];
    const tolerated = state['ToleratedFailureCount'];
    if (typeof failures === 'number' && typeof tolerated === 'number' && failures > tolerated) {
      throw new StateFailed({
        error: 'States.ExceedToleratedFailureThreshold',
        cause: 'The specified tolerated failure threshold was exceeded',
      });
    }
    return JSON.parse(mock?.result ?? 'null') as Json;
  };
}

/** Every state that the one under test leads to, as a Succeed. */
function targets(state: Fields): string[] {
  const rules = [...((state['Catch'] as Fields[]) ?? []), ...((state['Choices'] as Fields[]) ?? []), state];
  return rules.flatMap((rule) => [rule['Next'], rule['Default']]).filter((next) => typeof next === 'string');
}

async function runAlone(
  name: string,
  state: Fields,
  input: Json,
  call: () => Json,
): Promise<{ events: HistoryEvent[] } | { unsupported: string }> {
  const clock = new VirtualClock();
  const engine = createEngine({
    store: ':memory:',
    clock,
    artifactsOf: memoryObjects(() => clock.now()),
    records: {} as Records,
    queueOf: () => undefined,
    invoke: async () => call(),
  });
  try {
    const { diagnostics } = engine.createMachine('single', {
      QueryLanguage: 'JSONata',
      StartAt: name,
      States: {
        [name]: state,
        ...Object.fromEntries(targets(state).map((next) => [next, { Type: 'Succeed' }])),
      },
    });
    if (diagnostics.length > 0) return { unsupported: diagnostics[0]!.message };
    const { executionArn } = await engine.start({ machine: 'single', name: 'single', input: input ?? {} });
    await engine.wait(executionArn);
    return { events: (await engine.history(executionArn, { limit: 1000 })).events };
  } finally {
    await engine.close();
  }
}

/** Reads off the history what became of the state's first attempt. */
function resultOf(name: string, events: HistoryEvent[]): TestStateResult {
  const at = (suffix: string): HistoryEvent | undefined =>
    events.find((event) => event.type.endsWith(suffix));
  const failed = (at('FunctionFailed')?.['lambdaFunctionFailedEventDetails'] ??
    at('ExecutionFailed')?.['executionFailedEventDetails']) as { error?: string; cause?: string } | undefined;
  if (failed && events.filter((event) => event.type === 'LambdaFunctionScheduled').length > 1) {
    return { status: 'RETRIABLE', ...failed };
  }
  const exited = at('StateExited')?.['stateExitedEventDetails'] as
    { name: string; output: string } | undefined;
  if (!exited || exited.name !== name) return { status: 'FAILED', ...failed };
  const entered = events.filter((event) => event.type.endsWith('StateEntered'));
  const next = (entered[1]?.['stateEnteredEventDetails'] as { name: string } | undefined)?.name;
  return {
    status: failed ? 'CAUGHT_ERROR' : 'SUCCEEDED',
    ...failed,
    output: JSON.parse(exited.output) as Json,
    ...(next === undefined ? {} : { nextState: next }),
  };
}
