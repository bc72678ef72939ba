import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock, type Clock } from '#shared/determinism/clock.ts';
import { canonicalJson } from '#shared/determinism/hash.ts';
import type { Artifacts, ExecutionStatus, Json, Queue, Records, Workflows } from '#shared/storage/ports.ts';
import { acquireEngineLock } from '#shared/storage/embedded/index.ts';
import { conflict, invalidInput, notFound, storageUnavailable } from '#shared/task/errors.ts';
import type { ValidationResult } from '../language/index.ts';
import { perform, type Invoke, type Services, type TableOf } from '../resources/index.ts';
import { executionArn, machineNameOf } from './arns.ts';
import { endExecution } from './ending.ts';
import { Inbox, type Command } from './inbox.ts';
import { Kernel } from './kernel.ts';
import { Loop } from './loop.ts';
import { Machines } from './machines.ts';
import type { Task } from './model.ts';
import { nameProblem } from './nested.ts';
import { guarded } from './outcome.ts';
import { exceeds, MAX_PAYLOAD_BYTES, payload, type Payload } from './payload.ts';
import * as queries from './queries.ts';
import { redrive, reviveChild } from './redrive.ts';
import { resumeAll } from './resume.ts';
import { sweep } from './retention.ts';
import { machineTimeout, startExecution } from './start.ts';
import { Store } from './store.ts';
import { beat, submitted, taskFailed, taskSucceeded } from './tasks.ts';

export interface EngineOptions {
  /** The file of `states.sqlite`, or `:memory:`. */
  store: string;
  clock?: Clock;
  /** `full` survives a power loss, `normal` (the default) a killed process. */
  fsync?: 'normal' | 'full';
  artifactsOf(bucket: string): Artifacts;
  /** The table of `dynamodb:` resources, keyed by `pk` and `sk`, unless `tableOf` says otherwise. */
  records: Records;
  tableOf?: TableOf;
  /** Undefined for a queue that there is not. */
  queueOf(name: string): Queue | undefined;
  invoke: Invoke;
  /** Told of faults of the engine itself. */
  onError?(error: unknown): void;
}

export interface Engine extends Workflows {
  /** Aborts, with the error as its reason, when the store has failed: nothing goes on in this process. */
  readonly failed: AbortSignal;
  /**
   * Validates a definition (JSON value or text) and makes it the current version of a machine. A refused definition
   * changes nothing. Running executions go on with the version they started with.
   */
  createMachine(name: string, definition: unknown): ValidationResult & { arn?: string };
  machines(): { name: string; arn: string; definition: Json }[];
  /**
   * Takes the engine's lock, continues every running execution and answers other processes. Until then, and where
   * another process owns the engine, commands go to the owner.
   * @returns whether this process owns the engine
   */
  resume(): Promise<boolean>;
  /** Resolves with the status an execution ends in. */
  wait(executionArn: string): Promise<ExecutionStatus>;
  describeMapRun(mapRunArn: string): queries.MapRunDescription;
  listMapRuns(executionArn: string): queries.MapRunDescription[];
  listChildren(
    mapRunArn: string,
    query?: { status?: ExecutionStatus; limit?: number; cursor?: string },
  ): Awaited<ReturnType<Workflows['list']>>;
  /** State transitions made by this process. */
  transitions(): number;
  /** Stops taking steps and lets go of the lock; running executions go on when the engine is next resumed. */
  close(): Promise<void>;
}

/** Ready frames over which starts wait, and how long. */
const MAX_READY_FRAMES = 50_000;
const THROTTLE_MS = 5_000;
const SWEEP_MS = 3_600_000;

/** The embedded Step Functions (embedded-platform sections 2 to 6). */
export function createEngine(options: EngineOptions): Engine {
  return new EmbeddedEngine(options);
}

class EmbeddedEngine implements Engine {
  readonly #failure = new AbortController();
  readonly failed = this.#failure.signal;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #kernel: Kernel;
  readonly #loop: Loop;
  readonly #machines: Machines;
  readonly #inbox: Inbox;
  readonly #path: string;
  #owner: boolean;
  #lock: { release(): void } | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #closed = false;
  /** How to end the turns that nobody has heard of yet. */
  readonly #unheard = new Set<(error: Error) => void>();

  constructor(options: EngineOptions) {
    const { store: path, clock = systemClock, records } = options;
    this.#path = path;
    this.#clock = clock;
    this.#store = new Store(path, options.fsync);
    const services: Services = {
      clock,
      artifactsOf: (bucket) => options.artifactsOf(bucket),
      queueOf: (name) => options.queueOf(name),
      tableOf: options.tableOf ?? (() => ({ records, pk: 'pk', sk: 'sk' })),
      invoke: options.invoke,
    };
    this.#machines = new Machines(this.#store, () => clock.now());
    this.#kernel = new Kernel(this.#store, clock, {
      perform: (task, signal) => perform(task, services, signal),
      artifactsOf: services.artifactsOf,
      machineNamed: (name) => this.#machines.current(name),
      reviveChild: (run, id) => reviveChild(this.#kernel, run, id, this.#version),
      wake: () => this.#loop.wake(),
    });
    this.#loop = new Loop(this.#kernel, (error) => {
      if (this.#loop.broken !== undefined) this.#giveUp();
      options.onError?.(error);
    });
    this.#inbox = new Inbox(this.#store);
    this.#owner = path === ':memory:';
  }

  readonly #version = (name: string, sha256: string) => this.#machines.version(name, sha256);

  createMachine(name: string, definition: unknown): ValidationResult & { arn?: string } {
    return this.#machines.create(name, definition);
  }

  machines(): { name: string; arn: string; definition: Json }[] {
    return this.#machines.list();
  }

  async resume(): Promise<boolean> {
    if (this.#owner || this.#path === ':memory:') return true;
    this.#lock = acquireEngineLock(dirname(this.#path));
    if (!this.#lock) return false;
    this.#owner = true;
    this.#kernel.renumber();
    resumeAll(this.#kernel, this.#version);
    this.#loop.wake();
    this.#inbox.serve((command) => this.#serve(command));
    sweep(this.#store, this.#clock.now());
    this.#sweeper = setInterval(() => sweep(this.#store, this.#clock.now()), SWEEP_MS);
    this.#sweeper.unref();
    return true;
  }

  async start(request: {
    machine: string;
    name: string;
    input: Json;
  }): Promise<{ executionArn: string; started: number }> {
    if (!this.#owner)
      return (await this.#ask('start', [request as unknown as Json])) as {
        executionArn: string;
        started: number;
      };
    const machine = machineNameOf(request.machine);
    const problem = nameProblem(request.name);
    if (problem !== undefined) throw invalidInput(`InvalidName: ${problem}`);
    const input = checkedPayload(request.input, 'InvalidExecutionInput', 'input');
    await this.#room();
    return this.#turn(() => this.#begin(machine, request.name, input));
  }

  #begin(machine: string, name: string, input: Payload): { executionArn: string; started: number } {
    const known = this.#machines.current(machine);
    if (!known) throw notFound(`StateMachineDoesNotExist: there is no machine '${machine}'.`);
    const arn = executionArn(machine, name);
    const running = this.#kernel.executions.get(arn);
    if (running && canonicalJson(running.input.value) === canonicalJson(input.value)) {
      return { executionArn: arn, started: running.started };
    }
    if (this.#kernel.isUsed(arn)) {
      throw conflict(
        `ExecutionAlreadyExists: the name '${name}' is used by another execution of '${machine}'.`,
        {
          data: { code: 'ExecutionAlreadyExists', executionArn: arn },
        },
      );
    }
    const { started } = startExecution(this.#kernel, {
      machine,
      name,
      sha256: known.sha256,
      definition: known.machine,
      states: known.machine,
      input,
      ...machineTimeout(known.machine),
    });
    return { executionArn: arn, started };
  }

  /** Waits while more frames are ready than the engine can soon serve. */
  async #room(): Promise<void> {
    const until = performance.now() + THROTTLE_MS;
    while (this.#kernel.readyFrames > MAX_READY_FRAMES) {
      if (performance.now() >= until) {
        throw storageUnavailable('ThrottlingException: too many states are ready to run; try again later.', {
          data: { code: 'ThrottlingException' },
        });
      }
      await delay(10);
    }
  }

  async describe(arn: string) {
    return queries.describe(this.#store, arn);
  }

  async list(query: Parameters<Workflows['list']>[0]) {
    return queries.list(this.#store, { ...query, machine: machineNameOf(query.machine) });
  }

  async history(arn: string, options?: Parameters<Workflows['history']>[1]) {
    return queries.history(this.#store, arn, options);
  }

  describeMapRun(arn: string) {
    return queries.describeMapRun(this.#store, arn);
  }

  listMapRuns(arn: string) {
    return queries.listMapRuns(this.#store, arn);
  }

  listChildren(arn: string, query?: { status?: ExecutionStatus; limit?: number; cursor?: string }) {
    return queries.listChildren(this.#store, arn, query);
  }

  async stop(arn: string, reason: { error?: string; cause?: string } = {}): Promise<void> {
    if (!this.#owner) {
      await this.#ask('stop', [arn, reason]);
      return;
    }
    await this.#turn(() => {
      const execution = this.#kernel.executions.get(arn);
      if (execution) endExecution(this.#kernel, execution, { status: 'ABORTED', ...reason });
      else queries.rowOf(this.#store, arn);
    });
  }

  async redrive(arn: string): Promise<void> {
    if (!this.#owner) {
      await this.#ask('redrive', [arn]);
      return;
    }
    await this.#turn(() => {
      if (this.#kernel.executions.has(arn))
        throw conflict(`ExecutionNotRedrivable: the execution ${arn} is RUNNING.`);
      redrive(this.#kernel, queries.rowOf(this.#store, arn), this.#version);
    });
  }

  async sendTaskSuccess(token: string, output: Json): Promise<void> {
    if (!this.#owner) {
      await this.#ask('sendTaskSuccess', [token, output]);
      return;
    }
    const result = checkedPayload(output, 'InvalidOutput', 'output');
    await this.#turn(async () => {
      const task = this.#answerable(token);
      await guarded(this.#kernel, task.frame, async () => {
        if (task.status === 'started') submitted(this.#kernel, task);
        await taskSucceeded(this.#kernel, task, result);
      });
    });
  }

  async sendTaskFailure(token: string, failure: { error?: string; cause?: string }): Promise<void> {
    if (!this.#owner) {
      await this.#ask('sendTaskFailure', [token, failure]);
      return;
    }
    await this.#turn(async () => {
      const task = this.#answerable(token);
      const { error, cause } = failure;
      await guarded(this.#kernel, task.frame, async () => {
        if (task.status === 'started') submitted(this.#kernel, task);
        await taskFailed(this.#kernel, task, {
          ...(error === undefined ? {} : { error }),
          ...(cause === undefined ? {} : { cause }),
        });
      });
    });
  }

  async sendTaskHeartbeat(token: string): Promise<void> {
    if (!this.#owner) {
      await this.#ask('sendTaskHeartbeat', [token]);
      return;
    }
    await this.#turn(() => beat(this.#kernel, this.#answerable(token)));
  }

  /** The open task of a token; a closed one is TaskTimedOut, any other text InvalidToken. */
  #answerable(token: string): Task {
    const task = this.#kernel.tasks.get(token);
    if (task?.resource.pattern === 'token' && task.status !== 'closed') return task;
    const closed =
      task ??
      this.#store.get("SELECT 1 FROM tasks WHERE token = ? AND kind = 'token' AND status = 'closed'", token);
    if (closed) {
      throw conflict('TaskTimedOut: the task has been answered, has timed out or was stopped.', {
        data: { code: 'TaskTimedOut' },
      });
    }
    throw invalidInput('InvalidToken: this is not the token of a task.', { data: { code: 'InvalidToken' } });
  }

  async wait(arn: string): Promise<ExecutionStatus> {
    for (;;) {
      const { status } = queries.rowOf(this.#store, arn);
      if (status !== 'RUNNING') return status;
      if (this.#closed || this.#loop.broken !== undefined) throw this.#over();
      if (this.#owner) await this.#ended(arn);
      else await delay(50);
    }
  }

  #ended(arn: string): Promise<void> {
    return new Promise((resolve) => {
      const watchers = this.#kernel.watchers.get(arn) ?? new Set();
      this.#kernel.watchers.set(arn, watchers.add(resolve));
    });
  }

  transitions(): number {
    return this.#kernel.transitions;
  }

  /** Runs a body in the loop and answers once its turn is committed. */
  #turn<T>(body: () => T | Promise<T>): Promise<T> {
    if (this.#closed || this.#loop.broken !== undefined) return Promise.reject(this.#over());
    return new Promise<T>((resolve, reject) => {
      this.#unheard.add(reject);
      this.#kernel.post(async () => {
        try {
          const value = await body();
          this.#kernel.afterCommit.push(() => {
            this.#unheard.delete(reject);
            resolve(value);
          });
        } catch (error) {
          this.#unheard.delete(reject);
          reject(error as Error);
        }
      });
    });
  }

  #over(): Error {
    const why = 'The engine has been closed, or its store has failed.';
    return storageUnavailable(why, { cause: this.#loop.broken });
  }

  /** Tells everyone who waits that nothing more will happen: turns that were not committed have not happened. */
  #giveUp(): void {
    for (const reject of this.#unheard) reject(this.#over());
    this.#unheard.clear();
    for (const watchers of this.#kernel.watchers.values()) for (const resolve of watchers) resolve();
    this.#failure.abort(this.#loop.broken);
  }

  #ask(op: Command['op'], args: Json[]): Promise<Json> {
    return this.#inbox.ask({ op, args });
  }

  async #serve({ op, args }: Command): Promise<Json> {
    switch (op) {
      case 'start':
        return (await this.start(args[0] as unknown as Parameters<Workflows['start']>[0])) as unknown as Json;
      case 'stop':
        await this.stop(args[0] as string, args[1] as { error?: string; cause?: string });
        return null;
      case 'redrive':
        await this.redrive(args[0] as string);
        return null;
      case 'sendTaskSuccess':
        await this.sendTaskSuccess(args[0] as string, args[1]!);
        return null;
      case 'sendTaskFailure':
        await this.sendTaskFailure(args[0] as string, args[1] as { error?: string; cause?: string });
        return null;
      case 'sendTaskHeartbeat':
        await this.sendTaskHeartbeat(args[0] as string);
        return null;
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#inbox.stop();
    clearInterval(this.#sweeper);
    await this.#loop.stop();
    for (const task of this.#kernel.tasks.values()) task.abort?.abort(new Error('The engine is closing.'));
    this.#giveUp();
    this.#store.close();
    this.#lock?.release();
  }
}

function checkedPayload(value: Json, code: string, what: string): Payload {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw invalidInput(`${code}: the ${what} has no JSON form.`, { data: { code } });
  if (exceeds(text)) {
    throw invalidInput(`${code}: the ${what} is larger than ${MAX_PAYLOAD_BYTES} bytes of JSON text.`, {
      data: { code },
    });
  }
  // What the engine keeps is its own copy.
  return { ...payload(JSON.parse(text) as Json), text };
}
