import type { Json } from '#shared/storage/ports.ts';
import type { State, States } from '../language/index.ts';
import type { Kernel } from './kernel.ts';
import type { Execution, Frame } from './model.ts';
import type { Payload } from './payload.ts';

const NO_VARIABLES: ReadonlyMap<string, Json> = new Map();

export interface FrameStart {
  execution: Execution;
  parent?: Frame;
  index?: number;
  states: States;
  input: Payload;
  lastEvent: number;
  item?: { index: number; value: Json; key?: string };
}

/** A frame at the start of its scope, not yet ready. */
export function makeFrame(start: FrameStart): Frame {
  const { execution, parent, index = 0 } = start;
  return {
    execution,
    path: parent ? `${parent.path}/${index}` : '',
    parent,
    index,
    states: start.states,
    item: start.item,
    state: start.states.startAt,
    phase: 'ready',
    input: start.input,
    variables: parent?.variables ?? NO_VARIABLES,
    own: undefined,
    enteredEvent: 0,
    enteredAfter: 0,
    enteredTime: 0,
    lastEvent: start.lastEvent,
    attempts: [],
    retryCount: 0,
    children: new Map(),
    stored: false,
    timerStored: false,
    dirty: false,
    removed: false,
  };
}

export function stateOf(frame: Frame): State {
  const state = frame.states.states.get(frame.state);
  if (!state) throw new Error(`There is no state '${frame.state}' in the machine of ${frame.execution.arn}.`);
  return state;
}

/** Writes the Entered event of a frame's state: one a visit, however often it is retried. */
export function enter(kernel: Kernel, frame: Frame): void {
  frame.enteredAfter = frame.lastEvent;
  frame.enteredTime = kernel.now();
  frame.enteredEvent = kernel.emit(frame, `${stateOf(frame).type}StateEntered`, [
    'stateEnteredEventDetails',
    { name: frame.state, input: frame.input.text, inputDetails: { truncated: false } },
  ]);
}

/** Moves a frame to another state of its scope. */
export function go(kernel: Kernel, frame: Frame, next: string, input: Payload): void {
  frame.state = next;
  frame.input = input;
  frame.enteredEvent = 0;
  frame.attempts = [];
  frame.retryCount = 0;
  leaveBehind(kernel, frame);
  kernel.makeReady(frame);
}

/** Forgets what belonged to the attempt at hand: children, run, task, timer. */
export function leaveBehind(kernel: Kernel, frame: Frame): void {
  kernel.dropChildren(frame);
  delete frame.group;
  delete frame.run;
  delete frame.task;
  stopTimer(kernel, frame);
}

export function stopTimer(kernel: Kernel, frame: Frame): void {
  kernel.cancelTimer(frame.timer);
  delete frame.timer;
  if (frame.due !== undefined) {
    delete frame.due;
    kernel.touch(frame);
  }
}

/** Lets a frame wait in `phase` and take a step at `due`. */
export function waitUntil(kernel: Kernel, frame: Frame, phase: 'wait' | 'retry', due: number): void {
  frame.phase = phase;
  frame.due = due;
  kernel.touch(frame);
  frame.timer = kernel.timer(due, () => {
    delete frame.timer;
    kernel.makeReady(frame);
  });
}
