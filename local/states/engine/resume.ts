import type { Kernel } from './kernel.ts';
import { conclude, openReading } from './map-run.ts';
import type { Execution, Frame, MapRun, Task } from './model.ts';
import { parsePayload } from './payload.ts';
import { settleNested } from './nested.ts';
import {
  executionFrom,
  restoreFrames,
  restoreRun,
  restoreTasks,
  type ExecutionRow,
  type MachineOf,
} from './restore.ts';
import { armDeadline } from './start.ts';
import { admit, armTask, run as runTask } from './tasks.ts';

/**
 * Takes up every running execution after a restart (embedded-platform section 6): frames go on where they were,
 * request tasks in flight are dispatched again without a new event, token tasks keep waiting, timers fire when they
 * are due (at once when that has passed), readers go on from their cursor.
 */
export function resumeAll(kernel: Kernel, machineOf: MachineOf): number {
  const rows = kernel.store.all<ExecutionRow>(
    "SELECT * FROM executions WHERE status = 'RUNNING' ORDER BY id",
  );
  const runs = new Map<number, MapRun>();
  for (const row of rows) {
    const execution = executionFrom(row, machineOf, row.run === null ? undefined : runs.get(row.run));
    for (const run of bringBack(kernel, execution)) runs.set(run.id, run);
  }
  for (const run of runs.values()) continueRun(kernel, run);
  return rows.length;
}

/** Registers a restored execution and lets its frames go on. Returns the map runs that it waits for. */
export function bringBack(kernel: Kernel, execution: Execution): MapRun[] {
  kernel.executions.set(execution.arn, execution);
  const { parent } = execution;
  parent?.run.live.set(execution.id, execution);
  armDeadline(kernel, execution);
  const frames = restoreFrames(kernel, execution);
  const tasks = restoreTasks(kernel, execution, frames);
  const runs: MapRun[] = [];
  for (const frame of frames) {
    if (frame.phase === 'maprun') {
      const run = restoreRun(kernel, frame);
      if (run) runs.push(run);
    }
    continueFrame(kernel, frame);
  }
  for (const task of tasks) continueTask(kernel, task);
  return runs;
}

function continueFrame(kernel: Kernel, frame: Frame): void {
  if (frame.phase === 'ready') kernel.makeReady(frame);
  if ((frame.phase === 'wait' || frame.phase === 'retry') && frame.due !== undefined) {
    frame.timer = kernel.timer(frame.due, () => {
      delete frame.timer;
      kernel.makeReady(frame);
    });
  }
}

function continueTask(kernel: Kernel, task: Task): void {
  if (task.status === 'scheduled') {
    kernel.work.push(() => admit(kernel, task));
    return;
  }
  armTask(kernel, task);
  if (task.status === 'started') {
    kernel.runningTasks++;
    runTask(kernel, task);
    return;
  }
  if (task.resource.pattern !== 'sync') return;
  const child = kernel.store.get<ExecutionRow>('SELECT * FROM executions WHERE notify = ?', task.token);
  if (!child) return;
  if (child.status === 'RUNNING') {
    kernel.work.push(() => {
      const nested = kernel.executions.get(child.arn);
      if (nested) task.nested = nested;
    });
    return;
  }
  const { output, error, cause, stopped, ...rest } = child;
  kernel.work.push(() =>
    settleNested(kernel, task, {
      ...rest,
      input: parsePayload(child.input),
      ...(output === null ? {} : { output: parsePayload(output) }),
      ...(error === null ? {} : { error }),
      ...(cause === null ? {} : { cause }),
      ...(stopped === null ? {} : { stopped }),
    }),
  );
}

/** Lets a restored map run go on: reading from its cursor, or writing its results. */
export function continueRun(kernel: Kernel, run: MapRun): void {
  if (run.status !== 'RUNNING') return;
  kernel.runs.set(run.arn, run);
  if (run.failure) kernel.afterCommit.push(() => conclude(kernel, run));
  else openReading(kernel, run);
}
