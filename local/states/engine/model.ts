import type { ExecutionStatus, Json } from '#shared/storage/ports.ts';
import type { Machine, States, TaskResource } from '../language/index.ts';
import type { BatchOptions, ReaderCursor, ReaderOptions } from '../maprun/index.ts';
import type { Failure } from './failure.ts';
import type { Timed } from './heap.ts';
import type { Payload } from './payload.ts';

/** What runs, in memory. The store holds the same facts as rows; whatever is `dirty` is written at the next commit. */

export interface Execution {
  /** Row id; parents have smaller ones than their children. */
  readonly id: number;
  readonly arn: string;
  readonly name: string;
  /** Name of the machine, or `<machine>/<label>` of a child of a Distributed Map. */
  readonly machine: string;
  readonly sha256: string;
  readonly states: States;
  /** The compiled machine; a child's is its parent's. */
  readonly definition: Machine;
  readonly express: boolean;
  readonly input: Payload;
  /** The map run and the item (or batch) this is a child for. */
  readonly parent?: { run: MapRun; index: number; items: number };
  /** Token of the `.sync:2` task that waits for the end. */
  readonly notify?: string;
  status: ExecutionStatus;
  output?: Payload;
  error?: string;
  cause?: string;
  readonly started: number;
  stopped?: number;
  redrives: number;
  redriven?: number;
  nextEvent: number;
  /** Bytes of all variables assigned and alive. */
  variableBytes: number;
  /** When the execution times out. */
  deadline?: number;
  timer?: Timer;
  root?: Frame;
  /** Frames that can take a step, in order. */
  ready: Frame[];
  /** Whether the execution is in the scheduler's round. */
  queued: boolean;
  stored: boolean;
  dirty: boolean;
}

/**
 * `ready` takes a step; `task` waits for its task; `wait` and `retry` for a timer; `children` for branches or
 * iterations; `maprun` for a map run; `done` is a finished branch or iteration whose siblings still run, `tolerated`
 * a failed one that its Map tolerates; `failed` is one that failed or was stopped, and may be redriven.
 */
export type Phase =
  'ready' | 'task' | 'wait' | 'retry' | 'children' | 'maprun' | 'done' | 'tolerated' | 'failed';

/** Whether a branch or iteration has its result. */
export const isDone = (phase: Phase): boolean => phase === 'done' || phase === 'tolerated';

/** One scope at its current state: the execution itself, a branch or an iteration. */
export interface Frame {
  readonly execution: Execution;
  /** `''`, `/0`, `/0/12`: indices of branches and iterations, from the outside in. */
  readonly path: string;
  readonly parent: Frame | undefined;
  readonly index: number;
  readonly states: States;
  /** `$states.context.Map.Item` of an iteration. */
  readonly item: { index: number; value: Json; key?: string } | undefined;
  state: string;
  phase: Phase;
  input: Payload;
  /** Variables visible here: the enclosing scopes' and this scope's own. */
  variables: ReadonlyMap<string, Json>;
  /** Variables assigned in this scope. */
  own: { [name: string]: Json } | undefined;
  /** 0 until the state's Entered event. */
  enteredEvent: number;
  /** What came before the Entered event. */
  enteredAfter: number;
  enteredTime: number;
  /** Preceding event of this branch. */
  lastEvent: number;
  /** Retries so far, one count a retrier. */
  attempts: number[];
  /** `$states.context.State.RetryCount`. */
  retryCount: number;
  /** When a wait or a retry is over. */
  due?: number;
  timer?: Timer;
  task?: Task;
  group?: Group;
  run?: MapRun;
  output?: Payload;
  children: Map<number, Frame>;
  stored: boolean;
  timerStored: boolean;
  dirty: boolean;
  removed: boolean;
}

/** A Parallel or an inline Map under way. */
export interface Group {
  readonly length: number;
  /** Iterations at once; all branches of a Parallel. */
  readonly concurrency: number;
  /** Items of a Map, by index, and their keys where `Items` is an object. */
  readonly items?: readonly Json[];
  readonly tolerance?: Tolerance;
  started: number;
  finished: number;
  failed: number;
  /** Results by index. */
  results: (Payload | undefined)[];
  /** What the next event of the Parallel or Map follows. */
  lastEvent: number;
}

export interface Tolerance {
  count?: number;
  percentage?: number;
}

export type TaskStatus = 'scheduled' | 'started' | 'submitted' | 'closed';

export interface Task {
  readonly token: string;
  readonly execution: Execution;
  readonly frame: Frame;
  readonly resource: TaskResource;
  readonly parameters: Payload;
  readonly timeoutSeconds: number | undefined;
  readonly heartbeatSeconds: number | undefined;
  status: TaskStatus;
  deadline?: number;
  heartbeat?: number;
  timer?: Timer;
  heartbeatTimer?: Timer;
  abort?: AbortController;
  /** The execution that a `.sync:2` task started. */
  nested?: Execution;
  stored: boolean;
  dirty: boolean;
}

export interface Timer extends Timed {
  fire(): void;
}

export type MapRunStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'ABORTED';

export interface MapRunCounts {
  /** Items handed to children so far; all items once the run is `complete`. */
  total: number;
  succeeded: number;
  failed: number;
  timedOut: number;
  aborted: number;
  resultsWritten: number;
}

/** A Distributed Map under way. Counts are of items, not of batches. */
export interface MapRun {
  readonly id: number;
  readonly arn: string;
  readonly execution: Execution;
  readonly frame: Frame;
  readonly label: string;
  readonly express: boolean;
  readonly concurrency: number;
  readonly tolerance: Tolerance;
  /** Evaluated once: arguments of reader, batcher and writer, and items. */
  readonly plan: MapRunPlan;
  status: MapRunStatus;
  /** Where the reader continues: after the items of every child started so far. */
  cursor: ReaderCursor;
  /** Children started so far: the next one's index. */
  next: number;
  /** The reader has no more items and all are in children. */
  complete: boolean;
  counts: MapRunCounts;
  started: number;
  stopped?: number;
  redrives: number;
  redriven?: number;
  lastEvent: number;
  /** Why it fails, while its results are still being written. */
  failure?: Failure;
  /** Live children by row id. */
  live: Map<number, Execution>;
  /** Children of an earlier run to start again, by row id, when redriven. */
  again: number[];
  stored: boolean;
  dirty: boolean;
}

/** What a map run does, evaluated once when it starts. */
export interface MapRunPlan {
  /** Of `Items`, where there is no reader. */
  items?: Json;
  reader?: { options: ReaderOptions; arguments: Json };
  batch?: BatchOptions;
  /** Evaluated arguments of a writer that exports. */
  writer?: Json;
}
