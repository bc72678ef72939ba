import type { ExecutionStatus, Json } from '#shared/storage/ports.ts';
import { parseResource, type Machine, type MapState, type States } from '../language/index.ts';
import { makeFrame, stateOf } from './frames.ts';
import type { Kernel } from './kernel.ts';
import {
  isDone,
  type Execution,
  type Frame,
  type Group,
  type MapRun,
  type MapRunStatus,
  type Phase,
  type Task,
  type TaskStatus,
} from './model.ts';
import { parsePayload, type Payload } from './payload.ts';

/** Rows back into what runs. Nothing here starts anything: `resume.ts` does. */

export interface ExecutionRow {
  id: number;
  arn: string;
  name: string;
  machine: string;
  sha256: string;
  run: number | null;
  item: number | null;
  items: number | null;
  notify: string | null;
  express: number;
  status: ExecutionStatus;
  input: string;
  output: string | null;
  error: string | null;
  cause: string | null;
  started: number;
  stopped: number | null;
  redrives: number;
  redriven: number | null;
  next_event: number;
  variable_bytes: number;
  deadline: number | null;
}

interface FrameRow {
  path: string;
  state: string;
  phase: Phase;
  input: string;
  variables: string | null;
  entered_event: number;
  entered_after: number;
  entered_time: number;
  last_event: number;
  attempts: string;
  item: string | null;
  grouped: string | null;
  output: string | null;
}

interface TaskRow {
  token: string;
  path: string;
  status: TaskStatus;
  resource: string;
  parameters: string;
  timeout: number | null;
  heartbeat_seconds: number | null;
  deadline: number | null;
  heartbeat: number | null;
}

interface RunRow {
  id: number;
  arn: string;
  execution: number;
  path: string;
  state: string;
  label: string;
  express: number;
  concurrency: number;
  tolerance: string;
  plan: string;
  status: MapRunStatus;
  cursor: string;
  next: number;
  complete: number;
  counts: string;
  started: number;
  stopped: number | null;
  redrives: number;
  redriven: number | null;
  last_event: number;
  again: string;
  failure: string | null;
}

/** Finds a machine's version, compiled. */
export type MachineOf = (name: string, sha256: string) => Machine;

/** Makes an execution from its row; a child needs its (already restored) run. */
export function executionFrom(row: ExecutionRow, machineOf: MachineOf, run?: MapRun): Execution {
  const definition = run ? run.execution.definition : machineOf(row.machine, row.sha256);
  const states: States = run ? (stateOf(run.frame) as MapState).processor : definition;
  return {
    id: row.id,
    arn: row.arn,
    name: row.name,
    machine: row.machine,
    sha256: row.sha256,
    states,
    definition,
    express: row.express === 1,
    input: parsePayload(row.input),
    ...(run ? { parent: { run, index: row.item!, items: row.items! } } : {}),
    ...(row.notify === null ? {} : { notify: row.notify }),
    status: row.status,
    ...(row.output === null ? {} : { output: parsePayload(row.output) }),
    ...(row.error === null ? {} : { error: row.error }),
    ...(row.cause === null ? {} : { cause: row.cause }),
    started: row.started,
    ...(row.stopped === null ? {} : { stopped: row.stopped }),
    redrives: row.redrives,
    ...(row.redriven === null ? {} : { redriven: row.redriven }),
    nextEvent: row.next_event,
    variableBytes: row.variable_bytes,
    ...(row.deadline === null ? {} : { deadline: row.deadline }),
    ready: [],
    queued: false,
    stored: true,
    dirty: false,
  };
}

/** Rebuilds an execution's frames, parents before children, with their groups and due times. */
export function restoreFrames(kernel: Kernel, execution: Execution): Frame[] {
  const rows = kernel.store.all<FrameRow>(
    'SELECT * FROM frames WHERE execution = ? ORDER BY length(path), path',
    execution.id,
  );
  const due = new Map(
    kernel.store
      .all<{ path: string; due: number }>('SELECT path, due FROM timers WHERE execution = ?', execution.id)
      .map((timer) => [timer.path, timer.due]),
  );
  const byPath = new Map<string, Frame>();
  const frames: Frame[] = [];
  // Depth, not text length, puts parents first.
  rows.sort((a, b) => a.path.split('/').length - b.path.split('/').length);
  for (const row of rows) {
    const frame = restoreFrame(execution, row, byPath);
    const at = due.get(row.path);
    if (at !== undefined) {
      frame.due = at;
      frame.timerStored = true;
    }
    byPath.set(row.path, frame);
    frames.push(frame);
  }
  const root = byPath.get('');
  if (root) execution.root = root;
  for (const frame of frames) if (frame.group) settleGroup(frame, frame.group);
  return frames;
}

function restoreFrame(execution: Execution, row: FrameRow, byPath: ReadonlyMap<string, Frame>): Frame {
  const cut = row.path.lastIndexOf('/');
  const parent = cut < 0 ? undefined : byPath.get(row.path.slice(0, cut));
  const index = cut < 0 ? 0 : Number(row.path.slice(cut + 1));
  const item = row.item === null ? undefined : (JSON.parse(row.item) as { index: number; value: Json });
  const frame = makeFrame({
    execution,
    ...(parent ? { parent } : {}),
    index,
    states: parent ? statesBelow(parent, index) : execution.states,
    input: parsePayload(row.input),
    lastEvent: row.last_event,
    ...(item ? { item } : {}),
  });
  const { counts, retries } = JSON.parse(row.attempts) as { counts: number[]; retries: number };
  const own = row.variables === null ? undefined : (JSON.parse(row.variables) as { [name: string]: Json });
  const group = row.grouped === null ? undefined : restoreGroup(JSON.parse(row.grouped) as Partial<Group>);
  Object.assign(frame, {
    state: row.state,
    phase: row.phase,
    own,
    variables: own ? new Map([...frame.variables, ...Object.entries(own)]) : frame.variables,
    enteredEvent: row.entered_event,
    enteredAfter: row.entered_after,
    enteredTime: row.entered_time,
    attempts: counts,
    retryCount: retries,
    stored: true,
  });
  if (group) frame.group = group;
  if (row.output !== null) frame.output = parsePayload(row.output);
  parent?.children.set(index, frame);
  return frame;
}

function statesBelow(parent: Frame, index: number): States {
  const state = stateOf(parent);
  if (state.type === 'Parallel') return state.branches[index]!;
  if (state.type === 'Map') return state.processor;
  throw new Error(
    `The frame ${parent.path} of ${parent.execution.arn} has children but is at '${parent.state}'.`,
  );
}

const restoreGroup = (stored: Partial<Group>): Group => ({
  length: stored.length ?? 0,
  concurrency: stored.concurrency ?? 1,
  ...(stored.items ? { items: stored.items } : {}),
  ...(stored.tolerance ? { tolerance: stored.tolerance } : {}),
  started: 0,
  finished: 0,
  failed: 0,
  results: new Array<Payload | undefined>(stored.length ?? 0),
  lastEvent: stored.lastEvent ?? 0,
});

/** What a group counts follows from its children: they start in order, and finished ones keep their output. */
function settleGroup(frame: Frame, group: Group): void {
  group.started = frame.children.size;
  for (const child of frame.children.values()) {
    if (!isDone(child.phase) || !child.output) continue;
    group.finished++;
    group.results[child.index] = child.output;
    group.lastEvent = Math.max(group.lastEvent, child.lastEvent);
    if (child.phase === 'tolerated') group.failed++;
  }
}

/** Open tasks of an execution, attached to their frames. */
export function restoreTasks(kernel: Kernel, execution: Execution, frames: readonly Frame[]): Task[] {
  const rows = kernel.store.all<TaskRow>(
    "SELECT * FROM tasks WHERE execution = ? AND status <> 'closed'",
    execution.id,
  );
  const tasks: Task[] = [];
  for (const row of rows) {
    const frame = frames.find((each) => each.path === row.path);
    const resource = parseResource(row.resource);
    if (!frame || !resource) continue;
    const task: Task = {
      token: row.token,
      execution,
      frame,
      resource,
      parameters: parsePayload(row.parameters),
      timeoutSeconds: row.timeout ?? undefined,
      heartbeatSeconds: row.heartbeat_seconds ?? undefined,
      status: row.status,
      ...(row.deadline === null ? {} : { deadline: row.deadline }),
      ...(row.heartbeat === null ? {} : { heartbeat: row.heartbeat }),
      stored: true,
      dirty: false,
    };
    frame.task = task;
    kernel.tasks.set(task.token, task);
    tasks.push(task);
  }
  return tasks;
}

/** The map run of a frame that waits for one, by the run's row id or as the frame's latest. */
export function restoreRun(kernel: Kernel, frame: Frame): MapRun | undefined {
  const row = kernel.store.get<RunRow>(
    'SELECT * FROM map_runs WHERE execution = ? AND path = ? AND state = ? ORDER BY id DESC LIMIT 1',
    frame.execution.id,
    frame.path,
    frame.state,
  );
  if (!row) return undefined;
  const run: MapRun = {
    id: row.id,
    arn: row.arn,
    execution: frame.execution,
    frame,
    label: row.label,
    express: row.express === 1,
    concurrency: row.concurrency,
    tolerance: JSON.parse(row.tolerance) as MapRun['tolerance'],
    plan: JSON.parse(row.plan) as MapRun['plan'],
    status: row.status,
    cursor: JSON.parse(row.cursor) as MapRun['cursor'],
    next: row.next,
    complete: row.complete === 1,
    counts: JSON.parse(row.counts) as MapRun['counts'],
    started: row.started,
    ...(row.stopped === null ? {} : { stopped: row.stopped }),
    redrives: row.redrives,
    ...(row.redriven === null ? {} : { redriven: row.redriven }),
    lastEvent: row.last_event,
    ...(row.failure === null ? {} : { failure: JSON.parse(row.failure) as NonNullable<MapRun['failure']> }),
    live: new Map(),
    again: JSON.parse(row.again) as number[],
    stored: true,
    dirty: false,
  };
  frame.run = run;
  return run;
}
