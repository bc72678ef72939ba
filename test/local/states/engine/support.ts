import { Readable, Writable } from 'node:stream';
import { createEngine, VirtualClock, type Engine, type EngineOptions } from '#local/states/index.ts';
import { statesCommand, type RunResult } from '#local/states/command.ts';
import { memoryObjects } from '#local/states/run/objects.ts';
import { NO_TASKS, type TasksModule } from '#local/states/run/tasks-module.ts';
import { makeWorld, type World } from '#local/states/run/world.ts';
import type { HistoryEvent, Json, Records } from '#shared/storage/ports.ts';

export type Fields = { [key: string]: Json };

export const machine = (states: Fields, startAt = Object.keys(states)[0]!): Fields => ({
  QueryLanguage: 'JSONata',
  StartAt: startAt,
  States: states,
});

/** `P(x)`: one Pass state `S` with this Output. */
export const P = (output: Json): Fields => machine({ S: { Type: 'Pass', Output: output, End: true } });

export const INVOKE = 'arn:aws:states:::lambda:invoke';
export const task = (fields: Fields, name = 'f'): Fields => ({
  Type: 'Task',
  Resource: INVOKE,
  Arguments: { FunctionName: name, Payload: '{% $states.input %}' },
  ...(fields['Next'] === undefined ? { End: true } : {}),
  ...fields,
});
/** `T{…}`: one Task `S` of function `f` with these fields; further states follow. */
export const T = (fields: Fields, more: Fields = {}): Fields => machine({ S: task(fields), ...more });

export interface Ran {
  status: string;
  output?: Json;
  error?: string;
  cause?: string;
  events: HistoryEvent[];
  types: string[];
  executionArn: string;
  started: number;
}

/** A world on a virtual clock, with what makes running in it short. */
export function world(
  tasks: Partial<TasksModule> = {},
): World & { run(definition: Fields, input?: Json): Promise<Ran> } {
  const made = makeWorld({
    tasks: { ...NO_TASKS, ...tasks },
    virtualClock: true,
    report: (text) => {
      throw new Error(text);
    },
  });
  let runs = 0;
  return {
    ...made,
    async run(definition, input = {}) {
      const { diagnostics } = made.engine.createMachine('m', definition);
      if (diagnostics.length > 0) throw new Error(JSON.stringify(diagnostics));
      const { executionArn } = await made.engine.start({ machine: 'm', name: `run-${runs++}`, input });
      return ran(made.engine, executionArn);
    },
  };
}

export async function ran(engine: Engine, executionArn: string): Promise<Ran> {
  await engine.wait(executionArn);
  const events = await allEvents(engine, executionArn);
  const { status, output, error, cause, started } = await engine.describe(executionArn);
  return {
    status,
    ...(output === undefined ? {} : { output }),
    ...(error === undefined ? {} : { error }),
    ...(cause === undefined ? {} : { cause }),
    events,
    types: events.map((event) => event.type),
    executionArn,
    started,
  };
}

export async function allEvents(engine: Engine, executionArn: string): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const page = await engine.history(executionArn, {
      limit: 1000,
      ...(cursor === undefined ? {} : { cursor }),
    });
    events.push(...page.events);
    cursor = page.cursor;
  }
  return events;
}

/** Runs one machine in a world of its own. */
export async function once(
  definition: Fields,
  input: Json = {},
  tasks: Partial<TasksModule> = {},
): Promise<Ran> {
  const made = world(tasks);
  try {
    return await made.run(definition, input);
  } finally {
    await made.close();
  }
}

/** An engine of its own, with a clock that stands still until nothing runs. */
export function bareEngine(options: Partial<EngineOptions> & { store: string }): Engine {
  const clock = options.clock ?? new VirtualClock();
  return createEngine({
    clock,
    artifactsOf: memoryObjects(() => clock.now()),
    records: {} as Records,
    queueOf: () => undefined,
    invoke: async (_name, event) => event,
    onError: (error) => {
      throw error;
    },
    ...options,
  });
}

export const named = (name: string, message = 'as told'): Error =>
  Object.assign(new Error(message), { name });

/** Runs the command within this process. */
export async function command(
  argv: string[],
  stdin = '',
  signal?: AbortSignal,
): Promise<{ code: number; stdout: string; stderr: string; result: RunResult }> {
  const texts = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr'): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        texts[name] += chunk.toString();
        done();
      },
    });
  const code = await statesCommand(argv, {
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    ...(signal ? { signal } : {}),
  });
  return { code, ...texts, result: (texts.stdout === '' ? {} : JSON.parse(texts.stdout)) as RunResult };
}
