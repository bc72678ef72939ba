import {
  evaluateAs,
  resultTypes,
  type ChoiceState,
  type FailState,
  type WaitState,
} from '../language/index.ts';
import { scopeOf } from './context.ts';
import { NO_CHOICE_MATCHED, type Failure } from './failure.ts';
import { enter, stateOf, waitUntil } from './frames.ts';
import { startInlineMap, startParallel } from './groups.ts';
import type { Kernel } from './kernel.ts';
import { startMapRun } from './map-run.ts';
import type { Frame } from './model.ts';
import { failScope, guarded, leave } from './outcome.ts';
import { startTask } from './tasks.ts';

/** Takes one step of a ready frame: enters its state and carries it as far as it goes without waiting. */
export function step(kernel: Kernel, frame: Frame): Promise<void> {
  return guarded(kernel, frame, () => enterAndRun(kernel, frame));
}

async function enterAndRun(kernel: Kernel, frame: Frame): Promise<void> {
  const state = stateOf(frame);
  kernel.touch(frame);
  if (frame.due !== undefined) {
    // A timer brought the frame here: a retry begins, or a wait is over.
    delete frame.due;
    if (state.type === 'Wait' && frame.enteredEvent > 0) {
      await leave(kernel, frame, pass(state, frame));
      return;
    }
  }
  if (frame.enteredEvent === 0) enter(kernel, frame);
  switch (state.type) {
    case 'Pass':
    case 'Succeed':
      await leave(kernel, frame, pass(state, frame));
      return;
    case 'Choice':
      await choose(kernel, frame, state);
      return;
    case 'Wait':
      waitUntil(kernel, frame, 'wait', await waitEnd(kernel, frame, state));
      return;
    case 'Fail':
      await failScope(kernel, frame, await failureOfState(kernel, frame, state));
      return;
    case 'Task':
      await startTask(kernel, frame, state);
      return;
    case 'Parallel':
      await startParallel(kernel, frame, state);
      return;
    case 'Map':
      if (state.distributed) await startMapRun(kernel, frame, state);
      else await startInlineMap(kernel, frame, state);
      return;
  }
}

/** Leaving a state whose output is its input unless it says otherwise. */
const pass = (state: ReturnType<typeof stateOf>, frame: Frame) => ({
  assign: state.assign,
  output: state.output,
  next: state.next,
  otherwise: frame.input,
});

async function choose(kernel: Kernel, frame: Frame, state: ChoiceState): Promise<void> {
  const scope = scopeOf(kernel, frame);
  for (const choice of state.choices) {
    const holds = evaluateAs(resultTypes.condition, choice.condition, scope);
    if (holds instanceof Promise ? await holds : holds) {
      const { assign, output, next } = choice;
      await leave(kernel, frame, { assign, output, next, otherwise: frame.input });
      return;
    }
  }
  if (state.default === undefined) {
    const cause = `An error occurred while executing the state '${frame.state}' (entered at the event id #${frame.enteredEvent}). Failed to transition out of the state. The state does not point to a next state.`;
    await failScope(kernel, frame, { error: NO_CHOICE_MATCHED, cause });
    return;
  }
  await leave(kernel, frame, { ...pass(state, frame), next: state.default });
}

async function waitEnd(kernel: Kernel, frame: Frame, state: WaitState): Promise<number> {
  const scope = scopeOf(kernel, frame);
  if (state.seconds) {
    return frame.enteredTime + (await evaluateAs(resultTypes.seconds, state.seconds, scope)) * 1000;
  }
  return Math.max(
    frame.enteredTime,
    Date.parse(await evaluateAs(resultTypes.timestamp, state.timestamp!, scope)),
  );
}

async function failureOfState(kernel: Kernel, frame: Frame, state: FailState): Promise<Failure> {
  const scope = scopeOf(kernel, frame);
  const failure: Failure = {};
  if (state.error) failure.error = await evaluateAs(resultTypes.text, state.error, scope);
  if (state.causeText) failure.cause = await evaluateAs(resultTypes.text, state.causeText, scope);
  return failure;
}
