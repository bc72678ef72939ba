import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '#shared/determinism/clock.ts';
import type { Artifacts, Json } from '#shared/storage/ports.ts';
import type { Machine } from '../language/index.ts';
import { HistoryFull } from './failure.ts';
import { TimerHeap } from './heap.ts';
import type { Execution, Frame, MapRun, Task, Timer } from './model.ts';
import { exceeds } from './payload.ts';
import { noChanges, type Changes, type Store } from './store.ts';
import { isVirtual } from './virtual-clock.ts';

/** Events of one execution, the last of which is its end (embedded-platform section 6). */
export const MAX_EVENTS = 25_000;

/** Tasks that run at once. */
export const MAX_RUNNING_TASKS = 256;

/** What the engine's outside gives it. */
export interface Outside {
  /** Does what a request or token task asks for; called once its start is committed. */
  perform(task: Task, signal: AbortSignal): Promise<Json>;
  artifactsOf(bucket: string): Artifacts;
  /** The current version of a machine, by name. */
  machineNamed(name: string): { sha256: string; machine: Machine } | undefined;
  /** A stored child of a redriven map run, running again; undefined where it has succeeded. */
  reviveChild(run: MapRun, id: number): Execution | undefined;
  /** Puts work into the engine's loop and sees that it runs. */
  wake(): void;
}

/**
 * The engine's state between commits: what is alive, what is due, and what this turn has changed. Everything in it is
 * touched only by the engine's own loop.
 */
export class Kernel {
  readonly store: Store;
  readonly clock: Clock;
  /** Running executions by ARN. */
  readonly executions = new Map<string, Execution>();
  /** Open tasks by token. */
  readonly tasks = new Map<string, Task>();
  /** Running map runs by ARN. */
  readonly runs = new Map<string, MapRun>();
  readonly timers = new TimerHeap<Timer>();
  changes: Changes = noChanges();
  /** Runs once this turn is committed, in order. */
  afterCommit: (() => void)[] = [];
  /** Runs within the loop, in order, before the commit of the turn that takes it up. */
  readonly work: (() => void | Promise<void>)[] = [];
  /** Executions that ended and who waits for that. */
  readonly watchers = new Map<string, Set<() => void>>();
  readonly outside: Outside;
  /** Tasks whose Scheduled event is written and that wait for a free slot. */
  readonly waitingTasks: Task[] = [];
  runningTasks = 0;
  readyFrames = 0;
  transitions = 0;
  #round: Execution[] = [];
  #roundAt = 0;
  #nextExecution: number;
  #nextRun: number;
  #muted = false;

  constructor(store: Store, clock: Clock, outside: Outside) {
    this.store = store;
    this.clock = clock;
    this.outside = outside;
    this.#nextExecution = 0;
    this.#nextRun = 0;
    this.renumber();
  }

  /** Row ids go on after those in the store; called again on becoming the owner. */
  renumber(): void {
    const max = (table: string): number =>
      Number(this.store.get<{ id: number | null }>(`SELECT max(id) AS id FROM ${table}`)?.id ?? 0);
    this.#nextExecution = max('executions') + 1;
    this.#nextRun = max('map_runs') + 1;
  }

  executionId(): number {
    return this.#nextExecution++;
  }

  runId(): number {
    return this.#nextRun++;
  }

  uuid(): string {
    return randomUUID();
  }

  /** A task token: 256 random bits, so that holding one is the right to answer it. */
  token(): string {
    return randomBytes(32).toString('base64url');
  }

  now(): number {
    return this.clock.now();
  }

  touchExecution(execution: Execution): void {
    if (execution.dirty) return;
    execution.dirty = true;
    this.changes.executions.add(execution);
  }

  touch(frame: Frame): void {
    if (frame.dirty) return;
    frame.dirty = true;
    this.changes.frames.add(frame);
  }

  touchTask(task: Task): void {
    if (task.dirty) return;
    task.dirty = true;
    this.changes.tasks.add(task);
  }

  touchRun(run: MapRun): void {
    if (run.dirty) return;
    run.dirty = true;
    this.changes.runs.add(run);
  }

  /**
   * Appends an event of a branch and makes it the branch's last, unless `aside` is set.
   * @returns the event's id
   * @throws HistoryFull when only the execution's last event still fits
   */
  emit(
    frame: Frame,
    type: string,
    details?: EventDetails,
    options: { after?: number; aside?: boolean } = {},
  ): number {
    const execution = frame.execution;
    if (this.#muted) return frame.lastEvent;
    if (execution.nextEvent >= MAX_EVENTS && !execution.express) throw new HistoryFull();
    const id = this.append(execution, type, options.after ?? frame.lastEvent, details);
    if (!options.aside) frame.lastEvent = id;
    return id;
  }

  /** Appends an event without the check for room: for the last one. */
  append(execution: Execution, type: string, previous: number, details?: EventDetails): number {
    const id = execution.nextEvent++;
    this.touchExecution(execution);
    if (!execution.express) {
      const text =
        details === undefined ? null : `{${JSON.stringify(details[0])}:${JSON.stringify(details[1])}}`;
      this.changes.events.push({
        execution: execution.id,
        id,
        previous,
        type,
        time: this.now(),
        details: text,
      });
    }
    return id;
  }

  /** Whether an execution of this ARN exists or existed. */
  isUsed(arn: string): boolean {
    if (this.executions.has(arn)) return true;
    for (const execution of this.changes.executions) if (execution.arn === arn) return true;
    return this.store.get('SELECT 1 FROM executions WHERE arn = ?', arn) !== undefined;
  }

  /** Runs a body whose events there is no room for. */
  quietly(body: () => void): void {
    this.#muted = true;
    try {
      body();
    } finally {
      this.#muted = false;
    }
  }

  /** Hands work to the loop from outside it. */
  post(work: () => void | Promise<void>): void {
    this.work.push(work);
    this.outside.wake();
  }

  /** Runs something outside the loop that keeps a virtual clock still. */
  activity<T>(body: () => Promise<T>): Promise<T> {
    return isVirtual(this.clock) ? this.clock.activity(body) : body();
  }

  /** Tells watchers of an execution once its end is committed. */
  ended(execution: Execution): void {
    this.afterCommit.push(() => {
      for (const watcher of this.watchers.get(execution.arn) ?? []) watcher();
      this.watchers.delete(execution.arn);
    });
  }

  /** Puts a frame into its execution's queue. */
  makeReady(frame: Frame): void {
    frame.phase = 'ready';
    this.touch(frame);
    const execution = frame.execution;
    execution.ready.push(frame);
    this.readyFrames++;
    if (!execution.queued) {
      execution.queued = true;
      this.#round.push(execution);
    }
  }

  /** The next frame to step: one frame of each execution in turn. */
  nextReady(): Frame | undefined {
    while (this.#roundAt < this.#round.length) {
      const execution = this.#round[this.#roundAt++]!;
      if (this.#roundAt > 1024 && this.#roundAt * 2 > this.#round.length) {
        this.#round = this.#round.slice(this.#roundAt);
        this.#roundAt = 0;
      }
      const frame = execution.ready.shift();
      if (frame === undefined) {
        execution.queued = false;
        continue;
      }
      this.readyFrames--;
      if (execution.ready.length > 0) this.#round.push(execution);
      else execution.queued = false;
      if (!frame.removed && frame.phase === 'ready' && execution.status === 'RUNNING') return frame;
    }
    return undefined;
  }

  timer(due: number, fire: () => void): Timer {
    const timer: Timer = { due, at: -1, fire };
    this.timers.add(timer);
    return timer;
  }

  cancelTimer(timer: Timer | undefined): void {
    if (timer) this.timers.remove(timer);
  }

  /** Forgets every frame below a frame, in memory and in the store. */
  dropChildren(frame: Frame): void {
    if (frame.children.size === 0 && frame.group === undefined) return;
    this.#forget(frame);
    frame.children.clear();
    this.changes.dropped.push([frame.execution.id, frame.path]);
  }

  #forget(frame: Frame): void {
    for (const child of frame.children.values()) {
      this.#forget(child);
      child.removed = true;
      child.dirty = false;
      this.cancelTimer(child.timer);
      this.changes.frames.delete(child);
    }
  }

  takeChanges(): Changes {
    const changes = this.changes;
    this.changes = noChanges();
    return changes;
  }
}

/** The details object of an event with its name, such as `['stateEnteredEventDetails', { name, input }]`. */
export type EventDetails = readonly [name: string, details: { [key: string]: Json | undefined }];

/** Longest error and cause the service keeps. */
export const MAX_CAUSE_CHARACTERS = 32_768;

/** A cause as the service keeps it. */
export const clipCause = (cause: string): string =>
  exceeds(cause, MAX_CAUSE_CHARACTERS) ? cause.slice(0, MAX_CAUSE_CHARACTERS) : cause;
