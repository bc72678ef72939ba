import type { Json } from '#shared/storage/ports.ts';
import {
  checkResult,
  evaluate,
  evaluateAs,
  resultTypes,
  type MapState,
  type ParallelState,
  type Template,
} from '../language/index.ts';
import { abortChildren } from './abort.ts';
import { scopeOf } from './context.ts';
import { BRANCH_FAILED, errorOutput, THRESHOLD_EXCEEDED, type Failure } from './failure.ts';
import { enter, makeFrame, stateOf } from './frames.ts';
import type { Kernel } from './kernel.ts';
import type { Frame, Group, Tolerance } from './model.ts';
import { failState, guarded, leave } from './outcome.ts';
import { limited, payload, type Payload } from './payload.ts';
import { release } from './variables.ts';

/** Parallel and inline Map: branches and iterations as frames below their state's frame. */

/** Iterations at once where `MaxConcurrency` is 0. */
const INLINE_CONCURRENCY = 40;

export const THRESHOLD_CAUSE = 'The specified tolerated failure threshold was exceeded';

export async function startParallel(kernel: Kernel, frame: Frame, state: ParallelState): Promise<void> {
  const input = state.arguments
    ? limited(payload(await evaluate(state.arguments, scopeOf(kernel, frame))), frame.state, 'input')
    : frame.input;
  const started = kernel.emit(frame, 'ParallelStateStarted');
  const { length } = state.branches;
  begin(kernel, frame, { length, concurrency: length, started: length, lastEvent: started });
  state.branches.forEach((states, index) => {
    const branch = makeFrame({
      execution: frame.execution,
      parent: frame,
      index,
      states,
      input,
      lastEvent: started,
    });
    frame.children.set(index, branch);
    kernel.makeReady(branch);
    // All branches are under way before any of them goes on, as in the service, where none waits for another.
    enter(kernel, branch);
  });
}

export async function startInlineMap(kernel: Kernel, frame: Frame, state: MapState): Promise<void> {
  const scope = scopeOf(kernel, frame);
  const items = state.items
    ? await evaluateAs(resultTypes.items, state.items, scope)
    : checkResult(resultTypes.items, frame.input.value, INPUT_ITEMS, scope);
  const { concurrency, tolerance } = await mapLimits(kernel, frame, state);
  const started = kernel.emit(frame, 'MapStateStarted', [
    'mapStateStartedEventDetails',
    { length: items.length },
  ]);
  begin(kernel, frame, {
    length: items.length,
    concurrency: concurrency === 0 ? INLINE_CONCURRENCY : concurrency,
    items,
    tolerance,
    started: 0,
    lastEvent: started,
  });
  if (items.length === 0) {
    await finish(kernel, frame);
    return;
  }
  await fill(kernel, frame, started);
}

/** What a Map without `Items` iterates over. */
export const INPUT_ITEMS: Template = { field: 'Items', source: '{% $states.input %}', constant: false };

/** Evaluates `MaxConcurrency` and the tolerance fields. */
export async function mapLimits(
  kernel: Kernel,
  frame: Frame,
  state: MapState,
): Promise<{ concurrency: number; tolerance: Tolerance }> {
  const scope = scopeOf(kernel, frame);
  const concurrency = state.maxConcurrency
    ? await evaluateAs(resultTypes.maxConcurrency, state.maxConcurrency, scope)
    : 0;
  const tolerance: Tolerance = {};
  if (state.toleratedFailureCount) {
    tolerance.count = await evaluateAs(resultTypes.toleratedFailureCount, state.toleratedFailureCount, scope);
  }
  if (state.toleratedFailurePercentage) {
    const type = resultTypes.toleratedFailurePercentage;
    tolerance.percentage = await evaluateAs(type, state.toleratedFailurePercentage, scope);
  }
  return { concurrency, tolerance };
}

/** Whether so many failures are too many; without a threshold, one is. */
export function isExceeded(tolerance: Tolerance, failed: number, total: number | undefined): boolean {
  if (failed === 0) return false;
  const { count, percentage } = tolerance;
  if (count === undefined && percentage === undefined) return true;
  if (count !== undefined && failed > count) return true;
  return percentage !== undefined && total !== undefined && (failed / total) * 100 > percentage;
}

function begin(kernel: Kernel, frame: Frame, group: Omit<Group, 'finished' | 'failed' | 'results'>): void {
  frame.group = { ...group, finished: 0, failed: 0, results: new Array<Payload | undefined>(group.length) };
  frame.phase = 'children';
  kernel.touch(frame);
}

/** Starts iterations up to the concurrency. `after` is what their first events follow. */
async function fill(kernel: Kernel, frame: Frame, after: number): Promise<void> {
  const { group } = frame;
  while (group && frame.group === group && group.started < group.length) {
    if (group.started - group.finished >= group.concurrency) return;
    await startIteration(kernel, frame, group, after);
  }
}

async function startIteration(kernel: Kernel, frame: Frame, group: Group, after: number): Promise<void> {
  const state = stateOf(frame) as MapState;
  const index = group.started++;
  const item = { index, value: group.items![index]! };
  let input: Payload;
  if (state.itemSelector) {
    const extras = { item: { Index: index, Value: item.value, Source: 'STATE_DATA' } };
    input = payload(await evaluate(state.itemSelector, scopeOf(kernel, frame, extras)));
  } else {
    input = payload(item.value);
  }
  limited(input, frame.state, 'input');
  const { execution } = frame;
  const child = makeFrame({
    execution,
    parent: frame,
    index,
    states: state.processor,
    input,
    lastEvent: after,
    item,
  });
  kernel.emit(child, 'MapIterationStarted', [
    'mapIterationStartedEventDetails',
    { name: frame.state, index },
  ]);
  frame.children.set(index, child);
  kernel.makeReady(child);
}

/** A branch or iteration reached its end. */
export async function childSucceeded(kernel: Kernel, child: Frame, output: Payload): Promise<void> {
  const parent = child.parent!;
  if (parent.group === undefined) return;
  const before = child.lastEvent;
  if (stateOf(parent).type === 'Map') {
    kernel.emit(child, 'MapIterationSucceeded', [
      'mapIterationSucceededEventDetails',
      { name: parent.state, index: child.index },
    ]);
  }
  child.phase = 'done';
  await childDone(kernel, child, output, before);
}

/** Keeps a finished child's result and starts what its place is free for. */
async function childDone(kernel: Kernel, child: Frame, output: Payload, before: number): Promise<void> {
  const parent = child.parent!;
  const group = parent.group!;
  child.output = output;
  release(kernel, child);
  kernel.touch(child);
  group.results[child.index] = output;
  group.finished++;
  group.lastEvent = child.lastEvent;
  await guarded(kernel, parent, async () => {
    if (group.finished === group.length) await finish(kernel, parent);
    else await fill(kernel, parent, before);
  });
}

/** All children are done: the state's result, in branch or item order. */
async function finish(kernel: Kernel, frame: Frame): Promise<void> {
  const state = stateOf(frame) as MapState | ParallelState;
  const group = frame.group!;
  const results = group.results.map((result) => result!);
  const result: Payload = {
    value: results.map((each) => each.value),
    text: `[${results.map((each) => each.text).join(',')}]`,
  };
  frame.lastEvent = group.lastEvent;
  limited(result, frame.state, 'result');
  kernel.emit(frame, `${state.type}StateSucceeded`, undefined, { aside: true });
  await leaveWith(kernel, frame, state, result);
}

/** Leaves a Parallel or Map with its result. */
export async function leaveWith(
  kernel: Kernel,
  frame: Frame,
  state: MapState | ParallelState,
  result: Payload,
): Promise<void> {
  await leave(kernel, frame, {
    assign: state.assign,
    output: state.output,
    next: state.next,
    otherwise: result,
    result: result.value,
  });
}

/** A branch or iteration failed: unless that is tolerated, its siblings are stopped and the state fails. */
export async function childFailed(kernel: Kernel, child: Frame, failure: Failure): Promise<void> {
  const parent = child.parent!;
  const group = parent.group!;
  const before = child.lastEvent;
  if (stateOf(parent).type === 'Map') {
    const details = { name: parent.state, index: child.index };
    const id = kernel.emit(child, 'MapIterationFailed', ['mapIterationFailedEventDetails', details], {
      aside: true,
    });
    group.failed++;
    if (!isExceeded(group.tolerance ?? {}, group.failed, group.length)) {
      child.lastEvent = id;
      child.phase = 'tolerated';
      await childDone(kernel, child, payload(errorOutput(failure) as Json), before);
      return;
    }
    const configured = group.tolerance?.count !== undefined || group.tolerance?.percentage !== undefined;
    await stopGroup(
      kernel,
      child,
      configured ? { error: THRESHOLD_EXCEEDED, cause: THRESHOLD_CAUSE } : failure,
    );
    return;
  }
  if (stateOf(child).type === 'Task') kernel.emit(child, 'TaskStateAborted', undefined, { aside: true });
  await stopGroup(kernel, child, { ...failure, also: [...(failure.also ?? []), BRANCH_FAILED] });
}

async function stopGroup(kernel: Kernel, child: Frame, failure: Failure): Promise<void> {
  const parent = child.parent!;
  child.phase = 'failed';
  kernel.touch(child);
  abortChildren(kernel, parent);
  parent.lastEvent = child.lastEvent;
  await failState(kernel, parent, failure);
}

/** A redriven Parallel or Map: iterations not yet started follow; where all had finished, only its end is repeated. */
export function reviveGroup(kernel: Kernel, frame: Frame, after: number): void {
  const group = frame.group!;
  kernel.work.push(() =>
    guarded(kernel, frame, async () => {
      if (group.finished === group.length) await finish(kernel, frame);
      else if (group.items) await fill(kernel, frame, after);
    }),
  );
}
