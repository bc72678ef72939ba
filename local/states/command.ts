import { Console } from 'node:console';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { isoTime } from '#shared/determinism/clock.ts';
import type { HistoryEvent, Json } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import { machineNameOf } from './engine/arns.ts';
import { validateDefinitionText, type Diagnostic, type ValidationResult } from './language/index.ts';
import { loadTasks, NO_TASKS, UsageError, type TasksModule } from './run/tasks-module.ts';
import { makeWorld, type World } from './run/world.ts';

/** `agentmill states run` and `agentmill states validate` (embedded-platform section 7): a stable interface. */

export interface CommandIo {
  stdin: NodeJS.ReadableStream;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
  /** Stops the run as Ctrl-C does, where the command is called within another program. */
  signal?: AbortSignal;
}

const USAGE = `Usage: agentmill states run --definition F [--input F] [--tasks MODULE] [--objects DIR] [--virtual-clock] [--json]
       agentmill states validate F [--json]
F is a file, or - for standard input.
`;

const EXIT = { succeeded: 0, failed: 1, refused: 2, internal: 3 } as const;

export interface RunResult {
  status: 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED' | 'REFUSED';
  output?: Json;
  error?: string;
  cause?: string;
  diagnostics?: Diagnostic[];
  events: { [key: string]: unknown }[];
}

/** Runs the command and returns its exit code: 0 succeeded, 1 failed or stopped, 2 refused or usage, 3 internal. */
export async function statesCommand(argv: string[], io: CommandIo): Promise<number> {
  const [verb, ...args] = argv;
  try {
    if (verb === 'run') return await runCommand(args, io);
    if (verb === 'validate') return await validateCommand(args, io);
    if (verb === '--help' || verb === '-h' || verb === 'help') {
      io.stderr.write(USAGE);
      return EXIT.succeeded;
    }
    throw new UsageError(
      verb === undefined ? 'Say what to do: run or validate.' : `There is no command 'states ${verb}'.`,
    );
  } catch (error) {
    if (error instanceof UsageError) {
      io.stderr.write(`${error.message}\n${USAGE}`);
      return EXIT.refused;
    }
    io.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return EXIT.internal;
  }
}

async function validateCommand(args: string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parsed(() =>
    parseArgs({
      args,
      options: { json: { type: 'boolean' }, definition: { type: 'string' } },
      allowPositionals: true,
    }),
  );
  const file = values.definition ?? positionals[0];
  if (file === undefined || positionals.length > 1) throw new UsageError('Name one definition to validate.');
  const result: ValidationResult = validateDefinitionText(await readText(file, io, 'definition'));
  print(io, result, values.json ?? false);
  return result.result === 'OK' ? EXIT.succeeded : EXIT.refused;
}

async function runCommand(args: string[], io: CommandIo): Promise<number> {
  const { values } = parsed(() =>
    parseArgs({
      args,
      options: {
        definition: { type: 'string' },
        input: { type: 'string' },
        tasks: { type: 'string' },
        objects: { type: 'string' },
        'virtual-clock': { type: 'boolean' },
        json: { type: 'boolean' },
      },
    }),
  );
  if (values.definition === undefined) throw new UsageError('--definition is missing.');
  if (values.definition === '-' && values.input === '-') {
    throw new UsageError('Only one of --definition and --input can be standard input.');
  }
  const definition = await readText(values.definition, io, 'definition');
  const input = values.input === undefined ? {} : parseInput(await readText(values.input, io, 'input'));
  const result = await withConsole(io, async () => {
    const tasks = values.tasks === undefined ? NO_TASKS : await loadTasks(values.tasks);
    return run(definition, input, tasks, io, {
      virtualClock: values['virtual-clock'] ?? false,
      ...(values.objects === undefined ? {} : { objects: values.objects }),
    });
  });
  print(io, result, values.json ?? false);
  if (result.status === 'REFUSED') return EXIT.refused;
  return result.status === 'SUCCEEDED' ? EXIT.succeeded : EXIT.failed;
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function readText(file: string, io: CommandIo, what: string): Promise<string> {
  if (file === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
    return Buffer.concat(chunks).toString('utf8');
  }
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`The ${what} '${file}' cannot be read: ${(error as Error).message}`);
  }
}

function parseInput(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new UsageError(`The input is not valid JSON: ${(error as Error).message}`);
  }
}

/** Sends what tasks print to standard error while the body runs: standard output carries the result alone. */
async function withConsole<T>(io: CommandIo, body: () => Promise<T>): Promise<T> {
  const before = globalThis.console;
  globalThis.console = new Console({ stdout: io.stderr, stderr: io.stderr });
  try {
    return await body();
  } finally {
    globalThis.console = before;
  }
}

async function run(
  definition: string,
  input: Json,
  tasks: TasksModule,
  io: CommandIo,
  settings: { virtualClock: boolean; objects?: string },
): Promise<RunResult> {
  const world = makeWorld({ tasks, ...settings, report: (text) => void io.stderr.write(`${text}\n`) });
  try {
    const created = world.engine.createMachine('local', definition);
    if (created.result === 'FAIL') return { status: 'REFUSED', diagnostics: created.diagnostics, events: [] };
    createNested(world, tasks.machines);
    await tasks.setup?.(world.api);
    return await execute(world, input, io);
  } finally {
    await world.close();
  }
}

function createNested(world: World, machines: Record<string, unknown>): void {
  for (const [arn, nested] of Object.entries(machines)) {
    const { result, diagnostics } = world.engine.createMachine(machineNameOf(arn), nested);
    if (result === 'FAIL') {
      const problems = diagnostics.map(({ location, message }) => `${location}: ${message}`).join('\n');
      throw new UsageError(`The machine '${arn}' of the tasks module is refused:\n${problems}`);
    }
  }
}

async function execute(world: World, input: Json, io: CommandIo): Promise<RunResult> {
  const { engine } = world;
  let executionArn: string;
  try {
    ({ executionArn } = await engine.start({ machine: 'local', name: 'run', input }));
  } catch (error) {
    if (isError(error, 'InvalidInput')) throw new UsageError(error.message);
    throw error;
  }
  const stop = (): void => void engine.stop(executionArn).catch(() => {});
  process.once('SIGINT', stop);
  io.signal?.addEventListener('abort', stop, { once: true });
  if (io.signal?.aborted) stop();
  try {
    await engine.wait(executionArn);
  } finally {
    process.removeListener('SIGINT', stop);
    io.signal?.removeEventListener('abort', stop);
  }
  const { status, output, error, cause } = await engine.describe(executionArn);
  return {
    status: status as RunResult['status'],
    ...(output === undefined ? {} : { output }),
    ...(error === undefined ? {} : { error }),
    ...(cause === undefined ? {} : { cause }),
    events: await events(world, executionArn),
  };
}

async function events(world: World, executionArn: string): Promise<RunResult['events']> {
  const all: HistoryEvent[] = [];
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const options = { limit: 1000, ...(cursor === undefined ? {} : { cursor }) };
    const page = await world.engine.history(executionArn, options);
    all.push(...page.events);
    cursor = page.cursor;
  }
  return all.map(({ timestamp, id, type, previousEventId, ...details }) => ({
    id,
    type,
    previousEventId,
    timestamp: isoTime(timestamp),
    ...details,
  }));
}

function print(io: CommandIo, value: unknown, oneLine: boolean): void {
  io.stdout.write(`${JSON.stringify(value, undefined, oneLine ? undefined : 2)}\n`);
}
