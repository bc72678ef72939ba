import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Clock } from '#shared/determinism/clock.ts';
import type { Json, Queue, Records } from '#shared/storage/ports.ts';

/** What a `--tasks` module is and is given (embedded-platform section 7). */

export interface TasksApi {
  clock: Clock;
  tasks: {
    success(token: string, output: Json): Promise<void>;
    failure(token: string, failure: { error?: string; cause?: string }): Promise<void>;
    heartbeat(token: string): Promise<void>;
  };
  objects: {
    /** The object's text; undefined where there is none. */
    get(bucket: string, key: string): Promise<string | undefined>;
    /** Values that are no text or bytes are written as JSON. */
    put(bucket: string, key: string, body: unknown): Promise<void>;
    /** Keys in byte order. */
    list(bucket: string, prefix?: string): Promise<string[]>;
  };
  records: Records;
  queue(name: string): Queue;
}

export type TaskFunction = (event: Json, context: FunctionContext) => unknown;

/** Lambda's context, as far as it means anything here, and the platform's own. */
export interface FunctionContext {
  functionName: string;
  awsRequestId: string;
  invokedFunctionArn: string;
  memoryLimitInMB: string;
  getRemainingTimeInMillis(): number;
  /** Aborts when the task times out or the execution is stopped. */
  signal: AbortSignal;
  executionArn: string;
  agentmill: TasksApi;
}

export interface TasksModule {
  functions: Record<string, TaskFunction>;
  workers: {
    queue: string;
    onMessage(message: { messageId: string; body: string }, api: TasksApi): unknown;
  }[];
  queues: string[];
  tables: Record<string, { pk: string; sk?: string }>;
  machines: Record<string, unknown>;
  setup?(api: TasksApi): unknown;
}

export const NO_TASKS: TasksModule = { functions: {}, workers: [], queues: [], tables: {}, machines: {} };

/** A fault of the command line or of the files it names. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Loads and checks a tasks module (`.ts`, `.mjs` or `.js`).
 * @throws UsageError naming the export that is not what it should be; what the module itself throws
 */
export async function loadTasks(file: string): Promise<TasksModule> {
  const path = resolve(file);
  if (!existsSync(path)) throw new UsageError(`There is no tasks module '${file}'.`);
  const loaded = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  const { functions = {}, workers = [], resources = {}, setup } = loaded;
  const problem = (what: string): never => {
    throw new UsageError(`The tasks module '${file}' must export ${what}.`);
  };
  if (!isRecord(functions) || !Object.values(functions).every((each) => typeof each === 'function')) {
    problem('`functions`: an object of functions');
  }
  if (!Array.isArray(workers) || !workers.every(isWorker)) {
    problem('`workers`: an array of { queue, onMessage }');
  }
  if (!isRecord(resources)) return problem('`resources`: { queues?, tables?, machines? }');
  if (setup !== undefined && typeof setup !== 'function') problem('`setup`: a function');
  const { queues = [], tables = {}, machines = {} } = resources;
  if (!Array.isArray(queues) || !isRecord(tables) || !isRecord(machines)) {
    problem('`resources` with `queues` an array, `tables` and `machines` objects');
  }
  return {
    functions: functions as TasksModule['functions'],
    workers: workers as TasksModule['workers'],
    queues: queues as string[],
    tables: tables as TasksModule['tables'],
    machines: machines as TasksModule['machines'],
    ...(setup === undefined ? {} : { setup: setup as (api: TasksApi) => unknown }),
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isWorker = (value: unknown): boolean =>
  isRecord(value) && typeof value['queue'] === 'string' && typeof value['onMessage'] === 'function';

const FUNCTION_ARN = /^arn:[^:]*:lambda:[^:]*:[^:]*:function:([^:]+)(:[^:]+)?$/;

/** A function by the text in the definition, by that without its version or alias, or by its bare name. */
export function findFunction(
  functions: Record<string, TaskFunction>,
  text: string,
): TaskFunction | undefined {
  const arn = FUNCTION_ARN.exec(text);
  const candidates = arn
    ? [text, text.slice(0, text.length - (arn[2] ?? '').length), arn[1]!]
    : [text, text.split(':')[0]!];
  const name = candidates.find((each) => Object.hasOwn(functions, each));
  return name === undefined ? undefined : functions[name];
}
