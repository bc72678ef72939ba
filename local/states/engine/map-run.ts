import type { Json } from '#shared/storage/ports.ts';
import {
  checkResult,
  evaluate,
  evaluateAs,
  EvaluationFailure,
  resultTypes,
  type MapState,
} from '../language/index.ts';
import { MapRunFailure, readerOptions, type BatchOptions, type Item } from '../maprun/index.ts';
import { mapRunArn } from './arns.ts';
import { scopeOf } from './context.ts';
import { endExecution } from './ending.ts';
import { StateFailed, THRESHOLD_EXCEEDED, type Failure } from './failure.ts';
import { stateOf } from './frames.ts';
import { INPUT_ITEMS, isExceeded, leaveWith, mapLimits, THRESHOLD_CAUSE } from './groups.ts';
import type { Kernel } from './kernel.ts';
import { itemInput, prepare, type Prepared } from './map-source.ts';
import { exportResults, gatherResults } from './map-results.ts';
import type { Execution, Frame, MapRun, MapRunPlan } from './model.ts';
import { failState, guarded } from './outcome.ts';
import { exceeds, limited, payload, type Payload } from './payload.ts';
import { startExecution } from './start.ts';

/** Distributed Map: children are executions of their own, at most 1,000 of them and 1,000 read-ahead items at once. */

export const MAX_LIVE_CHILDREN = 1_000;
export const MAX_READ_AHEAD = 1_000;
const EXPRESS_SECONDS = 300;

/** What reads ahead for a run; not stored, since the run's cursor says where to begin again. */
interface Reading {
  source: AsyncGenerator<Prepared>;
  ready: Prepared[];
  /** Items in `ready`. */
  items: number;
  busy: boolean;
  done: boolean;
}

const readings = new WeakMap<MapRun, Reading>();

export async function startMapRun(kernel: Kernel, frame: Frame, state: MapState): Promise<void> {
  const plan = await planOf(kernel, frame, state);
  const { concurrency, tolerance } = await mapLimits(kernel, frame, state);
  const { execution } = frame;
  const uuid = kernel.uuid();
  const label = state.distributed?.label ?? uuid.replaceAll('-', '').slice(0, 32);
  const length = plan.items === undefined ? 0 : countOf(plan.items);
  kernel.emit(frame, 'MapStateStarted', ['mapStateStartedEventDetails', { length }]);
  const arn = mapRunArn(execution.machine.split('/')[0]!, label, uuid);
  const lastEvent = kernel.emit(frame, 'MapRunStarted', ['mapRunStartedEventDetails', { mapRunArn: arn }]);
  const run: MapRun = {
    id: kernel.runId(),
    arn,
    execution,
    frame,
    label,
    express: state.distributed?.executionType === 'EXPRESS',
    concurrency: Math.min(concurrency === 0 ? MAX_LIVE_CHILDREN : concurrency, MAX_LIVE_CHILDREN),
    tolerance,
    plan,
    status: 'RUNNING',
    cursor: { index: 0 },
    next: 0,
    complete: false,
    counts: { total: 0, succeeded: 0, failed: 0, timedOut: 0, aborted: 0, resultsWritten: 0 },
    started: kernel.now(),
    redrives: 0,
    lastEvent,
    live: new Map(),
    again: [],
    stored: false,
    dirty: false,
  };
  frame.run = run;
  frame.phase = 'maprun';
  kernel.touch(frame);
  kernel.touchRun(run);
  kernel.runs.set(arn, run);
  openReading(kernel, run);
}

const countOf = (items: Json): number =>
  Array.isArray(items) ? items.length : Object.keys(items as object).length;

/** Evaluates everything about the run that is evaluated once. */
async function planOf(kernel: Kernel, frame: Frame, state: MapState): Promise<MapRunPlan> {
  const scope = scopeOf(kernel, frame);
  const { reader, batcher, writer } = state.distributed!;
  const plan: MapRunPlan = {};
  if (reader) plan.reader = await readerOptions(reader, scope);
  else if (state.items) plan.items = await evaluateAs(resultTypes.distributedItems, state.items, scope);
  else plan.items = checkResult(resultTypes.distributedItems, frame.input.value, INPUT_ITEMS, scope);
  if (batcher) {
    const batch: BatchOptions = {};
    if (batcher.maxItems)
      batch.maxItems = await evaluateAs(resultTypes.maxItemsPerBatch, batcher.maxItems, scope);
    if (batcher.maxBytes)
      batch.maxBytes = await evaluateAs(resultTypes.maxInputBytesPerBatch, batcher.maxBytes, scope);
    if (batcher.batchInput) batch.batchInput = await evaluate(batcher.batchInput, scope);
    plan.batch = batch;
  }
  if (writer?.arguments) plan.writer = await evaluateAs(resultTypes.object, writer.arguments, scope);
  return plan;
}

/** Begins to read where the run's cursor stands; also after a restart. */
export function openReading(kernel: Kernel, run: MapRun): void {
  const reading: Reading = {
    source: prepare(run.plan, run.cursor, kernel.outside.artifactsOf, (item) => selected(kernel, run, item)),
    ready: [],
    items: 0,
    busy: false,
    done: run.complete,
  };
  readings.set(run, reading);
  if (run.complete) kernel.work.push(() => advance(kernel, run));
  else kernel.afterCommit.push(() => readAhead(kernel, run, reading));
}

/** An item as its child will see it. */
export function selected(kernel: Kernel, run: MapRun, item: Item): Json | Promise<Json> {
  const { itemSelector } = stateOf(run.frame) as MapState;
  if (!itemSelector) return itemInput(item);
  const { index, value, key, source } = item;
  const context = { Index: index, Value: value, ...(key === undefined ? {} : { Key: key }), Source: source };
  return evaluate(itemSelector, scopeOf(kernel, run.frame, { item: context }));
}

/** Reads until 1,000 items wait, then hands them to the loop. */
function readAhead(kernel: Kernel, run: MapRun, reading: Reading): void {
  if (reading.busy || reading.done || run.status !== 'RUNNING') return;
  reading.busy = true;
  const work = kernel.activity(async () => {
    // What has been read goes to the loop in portions, so that children start while reading goes on.
    let portion = 0;
    while (reading.items < MAX_READ_AHEAD && run.status === 'RUNNING') {
      const { value, done } = await reading.source.next();
      if (done) {
        reading.done = true;
        break;
      }
      reading.ready.push(value);
      reading.items += value.count;
      if (++portion % 100 === 0) kernel.post(() => advance(kernel, run));
    }
  });
  work.then(
    () => {
      reading.busy = false;
      kernel.post(() => advance(kernel, run));
    },
    (error: unknown) => {
      reading.done = true;
      kernel.post(() => guarded(kernel, run.frame, () => failRun(kernel, run, error)));
    },
  );
}

/** Starts children while there is room, and ends the run when nothing is left. */
export async function advance(kernel: Kernel, run: MapRun): Promise<void> {
  const reading = readings.get(run);
  if (run.status !== 'RUNNING' || run.failure || !reading) return;
  await guarded(kernel, run.frame, async () => {
    if (stopIfExceeded(kernel, run)) return;
    while (run.live.size < run.concurrency && run.again.length > 0)
      startAgain(kernel, run, run.again.shift()!);
    while (run.live.size < run.concurrency && reading.ready.length > 0) {
      const prepared = reading.ready.shift()!;
      reading.items -= prepared.count;
      try {
        startChild(kernel, run, prepared);
      } catch (error) {
        failRun(kernel, run, error);
        return;
      }
    }
    if (reading.done && !reading.busy && reading.ready.length === 0 && !run.complete) {
      run.complete = true;
      kernel.touchRun(run);
    }
    if (stopIfExceeded(kernel, run)) return;
    if (run.complete && run.live.size === 0 && run.again.length === 0) {
      readings.delete(run);
      kernel.afterCommit.push(() => conclude(kernel, run));
      return;
    }
    if (!reading.done && reading.items < MAX_READ_AHEAD / 2)
      kernel.afterCommit.push(() => readAhead(kernel, run, reading));
  });
}

function stopIfExceeded(kernel: Kernel, run: MapRun): boolean {
  if (!isExceeded(run.tolerance, failedItems(run), totalItems(run))) return false;
  failRun(kernel, run, new StateFailed({ error: THRESHOLD_EXCEEDED, cause: THRESHOLD_CAUSE }));
  return true;
}

export const failedItems = ({ counts }: MapRun): number => counts.failed + counts.timedOut + counts.aborted;

/** Known once reading is over, or where the items were given. */
function totalItems(run: MapRun): number | undefined {
  if (run.complete) return run.counts.total;
  return run.plan.items === undefined ? undefined : countOf(run.plan.items);
}

function startChild(kernel: Kernel, run: MapRun, prepared: Prepared): void {
  const input = limited(payload(prepared.input), run.frame.state, 'input');
  run.cursor = prepared.cursor;
  run.counts.total += prepared.count;
  begin(kernel, run, input, run.next++, prepared.count);
}

function begin(kernel: Kernel, run: MapRun, input: Payload, index: number, items: number): void {
  const { execution } = run;
  const child = startExecution(kernel, {
    machine: `${execution.machine.split('/')[0]}/${run.label}`,
    name: kernel.uuid(),
    sha256: execution.sha256,
    definition: execution.definition,
    states: (stateOf(run.frame) as MapState).processor,
    input,
    express: run.express,
    parent: { run, index, items },
    ...(run.express ? { timeoutSeconds: EXPRESS_SECONDS } : {}),
  });
  run.live.set(child.id, child);
  kernel.touchRun(run);
}

/** A child of an earlier run of the map, unsuccessful then, runs again in the redriven one. */
function startAgain(kernel: Kernel, run: MapRun, id: number): void {
  kernel.touchRun(run);
  const child = kernel.outside.reviveChild(run, id);
  if (child) run.live.set(child.id, child);
}

/** A child ended: its items count, and its place is free. */
export function childEnded(kernel: Kernel, child: Execution, run: MapRun): void {
  const { counts } = run;
  const { items } = child.parent!;
  if (child.status === 'SUCCEEDED') counts.succeeded += items;
  else if (child.status === 'FAILED') counts.failed += items;
  else if (child.status === 'TIMED_OUT') counts.timedOut += items;
  else counts.aborted += items;
  run.live.delete(child.id);
  kernel.touchRun(run);
  if (run.status === 'RUNNING' && !run.failure) kernel.work.push(() => advance(kernel, run));
}

/** All children ended within tolerance: the results are gathered or exported, then the state goes on. */
export function conclude(kernel: Kernel, run: MapRun): void {
  const state = stateOf(run.frame) as MapState;
  const work = kernel.activity(() =>
    run.plan.writer === undefined ? gatherResults(kernel, run, state) : exportResults(kernel, run, state),
  );
  work.then(
    (result) => kernel.post(() => (run.failure ? runFailed(kernel, run) : runSucceeded(kernel, run, result))),
    (error: unknown) => {
      // A run that fails already keeps its first reason, whether or not its results could be written.
      kernel.post(() => {
        run.failure ??= failureOfRun(error);
        return runFailed(kernel, run);
      });
    },
  );
}

async function runSucceeded(kernel: Kernel, run: MapRun, result: Json): Promise<void> {
  if (run.status !== 'RUNNING') return;
  const { frame } = run;
  await guarded(kernel, frame, async () => {
    const output = payload(result);
    if (exceeds(output.text)) limited(output, frame.state, 'result');
    close(kernel, run, 'SUCCEEDED');
    run.counts.resultsWritten = run.plan.writer === undefined ? 0 : run.counts.succeeded + failedItems(run);
    const after = frame.lastEvent;
    const ended = kernel.emit(frame, 'MapRunSucceeded', undefined, { aside: true });
    kernel.emit(frame, 'MapStateSucceeded', undefined, { after: ended, aside: true });
    frame.lastEvent = after;
    await leaveWith(kernel, frame, stateOf(frame) as MapState, output);
  });
}

/**
 * The run cannot go on: no child starts any more and running ones are stopped. With a ResultWriter, what there is is
 * exported before the state fails.
 */
export function failRun(kernel: Kernel, run: MapRun, error: unknown): void {
  if (run.status !== 'RUNNING' || run.failure) return;
  run.failure = failureOfRun(error);
  kernel.touchRun(run);
  readings.delete(run);
  if (error instanceof EvaluationFailure) {
    const details = {
      error: error.error,
      cause: error.cause_,
      location: error.location,
      state: run.frame.state,
    };
    kernel.emit(run.frame, 'EvaluationFailed', ['evaluationFailedEventDetails', details]);
  }
  stopChildren(kernel, run);
  if (run.plan.writer === undefined || run.failure.error === 'States.ItemReaderFailed') {
    kernel.work.push(() => runFailed(kernel, run));
  } else {
    kernel.afterCommit.push(() => conclude(kernel, run));
  }
}

function failureOfRun(error: unknown): Failure {
  if (error instanceof StateFailed) return error.failure;
  if (error instanceof MapRunFailure || error instanceof EvaluationFailure) {
    return { error: error.error, cause: error.cause_ };
  }
  return { error: 'States.Runtime', cause: error instanceof Error ? error.message : String(error) };
}

async function runFailed(kernel: Kernel, run: MapRun): Promise<void> {
  if (run.status !== 'RUNNING') return;
  const { frame } = run;
  const failure = run.failure!;
  close(kernel, run, 'FAILED');
  await guarded(kernel, frame, async () => {
    const details = { error: failure.error, cause: failure.cause };
    kernel.emit(frame, 'MapRunFailed', ['mapRunFailedEventDetails', details]);
    await failState(kernel, frame, failure);
  });
}

/** The Map state is stopped from outside. */
export function abortMapRun(kernel: Kernel, run: MapRun): void {
  if (run.status !== 'RUNNING') return;
  close(kernel, run, 'ABORTED');
  readings.delete(run);
  stopChildren(kernel, run);
  kernel.emit(run.frame, 'MapRunAborted', undefined, { aside: true });
}

function stopChildren(kernel: Kernel, run: MapRun): void {
  for (const child of [...run.live.values()]) endExecution(kernel, child, { status: 'ABORTED' });
}

function close(kernel: Kernel, run: MapRun, status: 'SUCCEEDED' | 'FAILED' | 'ABORTED'): void {
  run.status = status;
  run.stopped = kernel.now();
  kernel.runs.delete(run.arn);
  kernel.touchRun(run);
}
