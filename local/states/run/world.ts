import { randomUUID } from 'node:crypto';
import { systemClock, type Clock } from '#shared/determinism/clock.ts';
import { Database } from '#shared/storage/embedded/database.ts';
import { EmbeddedRecords } from '#shared/storage/embedded/records.ts';
import type { Artifacts, Json, Queue } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import { createEngine, type Engine } from '../engine/engine.ts';
import { isVirtual, VirtualClock } from '../engine/virtual-clock.ts';
import { FunctionNotFound, queueNameOf, type Invoke, type Table } from '../resources/index.ts';
import { directoryObjects, memoryObjects } from './objects.ts';
import { MemoryQueue } from './queue.ts';
import { findFunction, type FunctionContext, type TasksApi, type TasksModule } from './tasks-module.ts';

export interface WorldOptions {
  tasks: TasksModule;
  /** Directory of objects; in memory where absent. */
  objects?: string;
  virtualClock: boolean;
  /** Told of what workers throw and of faults of the engine. */
  report(text: string): void;
}

/** Everything one `states run` needs: an engine in memory, the module's functions, workers, queues and tables. */
export interface World {
  engine: Engine;
  api: TasksApi;
  clock: Clock;
  close(): Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 900_000;

export function makeWorld(options: WorldOptions): World {
  const { tasks } = options;
  const clock: Clock = options.virtualClock ? new VirtualClock() : systemClock;
  const database = new Database(':memory:', 'normal');
  const records = new EmbeddedRecords(database, clock);
  const now = (): number => clock.now();
  const artifactsOf =
    options.objects === undefined ? memoryObjects(now) : directoryObjects(options.objects, now);
  const queues = new Map<string, MemoryQueue>();
  for (const name of [...tasks.queues, ...tasks.workers.map((worker) => worker.queue)]) {
    const known = queueNameOf(name);
    if (!queues.has(known)) queues.set(known, new MemoryQueue(known, clock));
  }
  const tableOf = (name: string): Table | undefined => {
    const keys = Object.hasOwn(tasks.tables, name) ? tasks.tables[name] : undefined;
    return keys && { records, ...keys, prefix: `${name}/` };
  };
  const engine = createEngine({
    store: ':memory:',
    clock,
    artifactsOf,
    records,
    tableOf,
    queueOf: (name) => queues.get(name),
    invoke: (name, event, invocation) => invoke(name, event, invocation),
    onError: (error) =>
      options.report(`The engine failed: ${error instanceof Error ? error.stack : String(error)}`),
  });
  const api: TasksApi = {
    clock: { now, sleep: (ms, signal) => clock.sleep(ms, signal) },
    tasks: {
      success: (token, output) => engine.sendTaskSuccess(token, output ?? null),
      failure: (token, failure) => engine.sendTaskFailure(token, failure ?? {}),
      heartbeat: (token) => engine.sendTaskHeartbeat(token),
    },
    objects: objectsApi(artifactsOf),
    records,
    queue(name): Queue {
      const queue = queues.get(queueNameOf(name));
      if (!queue) throw new Error(`The queue '${name}' is not declared in the module's resources.`);
      return queue;
    },
  };
  const invoke = invoker(tasks, api, clock);
  for (const worker of tasks.workers) {
    void serve(queues.get(queueNameOf(worker.queue))!, worker, api, clock, options.report);
  }
  return {
    engine,
    api,
    clock,
    async close() {
      await engine.close();
      database.close();
    },
  };
}

/** Calls a module's functions as Lambda does: values pass as JSON text. */
function invoker(tasks: TasksModule, api: TasksApi, clock: Clock): Invoke {
  return async (functionName, event, { signal, timeoutMs = DEFAULT_TIMEOUT_MS, context }) => {
    const body = findFunction(tasks.functions, functionName);
    if (!body) throw new FunctionNotFound(functionName);
    const deadline = clock.now() + timeoutMs;
    const told: FunctionContext = {
      functionName: queueNameOf(functionName),
      awsRequestId: randomUUID(),
      invokedFunctionArn: functionName,
      memoryLimitInMB: '128',
      getRemainingTimeInMillis: () => Math.max(0, deadline - clock.now()),
      signal,
      executionArn: context.executionArn,
      agentmill: api,
    };
    return asJson(await body(event, told));
  };
}

function asJson(value: unknown): Json {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw Object.assign(new Error(`Unable to stringify response body: ${(error as Error).message}`), {
      name: 'Runtime.MarshalError',
    });
  }
  return text === undefined ? null : (JSON.parse(text) as Json);
}

/** Gives a worker its queue's messages, one after the other. */
async function serve(
  queue: MemoryQueue,
  worker: TasksModule['workers'][number],
  api: TasksApi,
  clock: Clock,
  report: (text: string) => void,
): Promise<void> {
  for (;;) {
    const message = await queue.take();
    const handle = async (): Promise<void> => {
      await worker.onMessage(message, api);
    };
    try {
      await (isVirtual(clock) ? clock.activity(handle) : handle());
    } catch (error) {
      report(
        `The worker of '${worker.queue}' failed: ${error instanceof Error ? error.stack : String(error)}`,
      );
    }
  }
}

function objectsApi(artifactsOf: (bucket: string) => Artifacts): TasksApi['objects'] {
  return {
    async get(bucket, key) {
      try {
        const chunks: Uint8Array[] = [];
        for await (const chunk of (await artifactsOf(bucket).get(key)).body) chunks.push(chunk);
        return Buffer.concat(chunks).toString('utf8');
      } catch (error) {
        if (isError(error, 'NotFound')) return undefined;
        throw error;
      }
    },
    async put(bucket, key, body) {
      const plain = typeof body === 'string' || body instanceof Uint8Array;
      await artifactsOf(bucket).put(key, plain ? body : JSON.stringify(body));
    },
    async list(bucket, prefix = '') {
      const keys: string[] = [];
      for (let after: string | undefined, first = true; first || after !== undefined; first = false) {
        const page = await artifactsOf(bucket).list({ prefix, ...(after === undefined ? {} : { after }) });
        keys.push(...page.objects.map((object) => object.key));
        after = page.next;
      }
      return keys;
    },
  };
}
