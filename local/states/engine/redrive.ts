import { conflict } from '#shared/task/errors.ts';
import type { MapState } from '../language/index.ts';
import { stateOf } from './frames.ts';
import { reviveGroup } from './groups.ts';
import type { Kernel } from './kernel.ts';
import { MAX_EVENTS } from './kernel.ts';
import { openReading } from './map-run.ts';
import { isDone, type Execution, type Frame, type MapRun } from './model.ts';
import { executionFrom, restoreFrames, restoreRun, type ExecutionRow, type MachineOf } from './restore.ts';
import { armDeadline, machineTimeout } from './start.ts';

const REDRIVABLE_MS = 14 * 86_400_000;

/**
 * Runs an unsuccessful execution again from where it failed (embedded-platform section 3): unsuccessful states rerun
 * with their stored inputs and fresh retry counters; finished branches, iterations and children keep their results.
 * @throws Conflict (ExecutionNotRedrivable) with the reason
 */
export function redrive(kernel: Kernel, row: ExecutionRow, machineOf: MachineOf): void {
  const refused = (why: string): Error =>
    conflict(`ExecutionNotRedrivable: the execution ${row.arn} ${why}.`);
  if (row.run !== null) throw refused('is a child of a map run: redrive the execution that started it');
  if (row.status === 'RUNNING' || row.status === 'SUCCEEDED') throw refused(`is ${row.status}`);
  if (kernel.now() - (row.stopped ?? row.started) > REDRIVABLE_MS)
    throw refused('ended more than 14 days ago');
  if (row.next_event - 1 >= MAX_EVENTS - 1) throw refused(`has ${row.next_event - 1} events`);
  revive(kernel, executionFrom(row, machineOf));
}

/** A child of a redriven map run; undefined where it has succeeded after all. */
export function reviveChild(
  kernel: Kernel,
  run: MapRun,
  id: number,
  machineOf: MachineOf,
): Execution | undefined {
  const row = kernel.store.get<ExecutionRow>('SELECT * FROM executions WHERE id = ?', id);
  if (!row || row.status === 'SUCCEEDED' || row.status === 'RUNNING') return undefined;
  const child = executionFrom(row, machineOf, run);
  revive(kernel, child);
  return child;
}

function revive(kernel: Kernel, execution: Execution): void {
  execution.status = 'RUNNING';
  execution.redrives++;
  execution.redriven = kernel.now();
  delete execution.error;
  delete execution.cause;
  delete execution.stopped;
  const { timeoutSeconds } = execution.parent ? {} : machineTimeout(execution.definition);
  if (timeoutSeconds !== undefined) execution.deadline = kernel.now() + timeoutSeconds * 1000;
  else if (execution.express) execution.deadline = kernel.now() + 300_000;
  kernel.executions.set(execution.arn, execution);
  kernel.touchExecution(execution);
  armDeadline(kernel, execution);
  restoreFrames(kernel, execution);
  const root = execution.root!;
  const id = kernel.append(execution, 'ExecutionRedriven', root.lastEvent, [
    'executionRedrivenEventDetails',
    { redriveCount: execution.redrives },
  ]);
  reviveFrame(kernel, root, id);
}

/** Lets an unsuccessful frame run again, after the event `after`. */
export function reviveFrame(kernel: Kernel, frame: Frame, after: number): void {
  if (isDone(frame.phase)) return;
  kernel.touch(frame);
  frame.attempts = [];
  frame.retryCount = 0;
  delete frame.due;
  frame.lastEvent = after;
  const state = stateOf(frame);
  if (frame.group) {
    frame.phase = 'children';
    for (const child of frame.children.values()) reviveFrame(kernel, child, after);
    reviveGroup(kernel, frame, after);
    return;
  }
  const run = state.type === 'Map' && isDistributed(state) ? restoreRun(kernel, frame) : undefined;
  if (run) reviveRun(kernel, run);
  else kernel.makeReady(frame);
}

const isDistributed = (state: MapState): boolean => state.distributed !== undefined;

function reviveRun(kernel: Kernel, run: MapRun): void {
  const { frame, counts } = run;
  run.status = 'RUNNING';
  run.redrives++;
  run.redriven = kernel.now();
  delete run.failure;
  delete run.stopped;
  run.again = kernel.store
    .all<{ id: number }>(
      "SELECT id FROM executions WHERE run = ? AND status <> 'SUCCEEDED' ORDER BY item",
      run.id,
    )
    .map((row) => row.id);
  counts.failed = counts.timedOut = counts.aborted = 0;
  kernel.runs.set(run.arn, run);
  kernel.touchRun(run);
  frame.phase = 'maprun';
  run.lastEvent = kernel.emit(frame, 'MapRunRedriven', [
    'mapRunRedrivenEventDetails',
    { mapRunArn: run.arn, redriveCount: run.redrives },
  ]);
  openReading(kernel, run);
}
