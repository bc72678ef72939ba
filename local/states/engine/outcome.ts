import { seededRng } from '#shared/determinism/rng.ts';
import type { Json } from '#shared/storage/ports.ts';
import { evaluate, EvaluationFailure, type Catcher, type Retrier, type Template } from '../language/index.ts';
import { abortChildren } from './abort.ts';
import { scopeOf } from './context.ts';
import { endExecution } from './ending.ts';
import { errorOutput, HistoryFull, matches, RUNTIME, StateFailed, type Failure } from './failure.ts';
import { go, leaveBehind, stateOf, waitUntil } from './frames.ts';
import { childFailed, childSucceeded } from './groups.ts';
import { clipCause, type Kernel } from './kernel.ts';
import type { Frame } from './model.ts';
import { limited, payload, type Payload } from './payload.ts';
import { assign, measure } from './variables.ts';

/** The end of a state visit: `Assign` and `Output`, Retry and Catch, and what follows in the scope. */

export interface Exit {
  assign: Template | undefined;
  output: Template | undefined;
  next: string | undefined;
  /** What the state's output is without `Output`. */
  otherwise: Payload;
  result?: Json;
  errorOutput?: Json;
}

/** Evaluates `Assign` and `Output` with the variables of state entry, then leaves the state. */
export async function leave(kernel: Kernel, frame: Frame, exit: Exit): Promise<void> {
  const scope = scopeOf(kernel, frame, exit);
  let assigned: Json | undefined;
  if (exit.assign) {
    const value = evaluate(exit.assign, scope);
    assigned = value instanceof Promise ? await value : value;
  }
  let output = exit.otherwise;
  if (exit.output) {
    const value = evaluate(exit.output, scope);
    output = payload(value instanceof Promise ? await value : value);
  }
  limited(output, frame.state, 'output');
  const assignment = assigned === undefined ? undefined : measure(frame, assigned);
  kernel.emit(frame, `${stateOf(frame).type}StateExited`, [
    'stateExitedEventDetails',
    {
      name: frame.state,
      output: output.text,
      outputDetails: { truncated: false },
      ...(assignment === undefined
        ? {}
        : { assignedVariables: assignment.texts, assignedVariablesDetails: { truncated: false } }),
    },
  ]);
  if (assignment) assign(kernel, frame, assignment);
  kernel.transitions++;
  if (exit.next !== undefined) go(kernel, frame, exit.next, output);
  else await scopeSucceeded(kernel, frame, output);
}

/** A scope reached its end: the execution's, or a branch's or iteration's. */
export async function scopeSucceeded(kernel: Kernel, frame: Frame, output: Payload): Promise<void> {
  leaveBehind(kernel, frame);
  if (frame.parent) await childSucceeded(kernel, frame, output);
  else endExecution(kernel, frame.execution, { status: 'SUCCEEDED', output });
}

/** Runs part of a frame's step; whatever it throws fails the frame's state. */
export async function guarded(kernel: Kernel, frame: Frame, body: () => Promise<void> | void): Promise<void> {
  try {
    await body();
  } catch (error) {
    try {
      await thrown(kernel, frame, error);
    } catch (second) {
      // No room for the events of handling it, or a fault of the engine: the execution ends here.
      endExecution(kernel, frame.execution, { status: 'FAILED', ...runtimeFailure(second) });
    }
  }
}

async function thrown(kernel: Kernel, frame: Frame, error: unknown): Promise<void> {
  if (error instanceof EvaluationFailure) {
    evaluationFailed(kernel, frame, error);
    await failState(kernel, frame, { error: error.error, cause: error.cause_ });
  } else if (error instanceof StateFailed) {
    await failState(kernel, frame, error.failure);
  } else {
    throw error;
  }
}

function runtimeFailure(error: unknown): { error: string; cause: string } {
  if (error instanceof HistoryFull) {
    return { error: RUNTIME, cause: 'The execution reached the maximum number of history events (25000).' };
  }
  return { error: RUNTIME, cause: clipCause(error instanceof Error ? error.message : String(error)) };
}

/** The event follows what came before the state was entered, unless the visit has events of its own (as recorded). */
function evaluationFailed(kernel: Kernel, frame: Frame, failure: EvaluationFailure): void {
  const after = frame.lastEvent === frame.enteredEvent ? frame.enteredAfter : frame.lastEvent;
  kernel.emit(
    frame,
    'EvaluationFailed',
    [
      'evaluationFailedEventDetails',
      { error: failure.error, cause: failure.cause_, location: failure.location, state: frame.state },
    ],
    { after },
  );
}

/** A state failed: its retriers, then its catchers, then the scope around it. */
export async function failState(kernel: Kernel, frame: Frame, failure: Failure): Promise<void> {
  const state = stateOf(frame);
  const handled = state.type === 'Task' || state.type === 'Parallel' || state.type === 'Map';
  if (handled) {
    if (retry(kernel, frame, state.retry, failure)) return;
    if (state.type !== 'Task') kernel.emit(frame, `${state.type}StateFailed`);
    const at = state.catch.findIndex((catcher) => matches(catcher.errorEquals, failure));
    if (at >= 0) {
      await caught(kernel, frame, state.catch[at]!, failure);
      return;
    }
  }
  await failScope(kernel, frame, failure);
}

/** Schedules another attempt where the first matching retrier has one left. */
function retry(kernel: Kernel, frame: Frame, retriers: readonly Retrier[], failure: Failure): boolean {
  const at = retriers.findIndex((retrier) => matches(retrier.errorEquals, failure));
  const retrier = retriers[at];
  if (!retrier) return false;
  const done = frame.attempts[at] ?? 0;
  if (done >= retrier.maxAttempts) return false;
  while (frame.attempts.length <= at) frame.attempts.push(0);
  frame.attempts[at] = done + 1;
  frame.retryCount++;
  abortChildren(kernel, frame);
  leaveBehind(kernel, frame);
  const seconds = retryDelay(retrier, done + 1, () =>
    seededRng('retry', frame.execution.arn, frame.path, frame.enteredEvent, frame.retryCount).next(),
  );
  waitUntil(kernel, frame, 'retry', kernel.now() + Math.round(seconds * 1000));
  return true;
}

/** Seconds before retry `k` (from 1): min(interval · rate^(k−1), maximum), drawn from [0, delay] with FULL jitter. */
export function retryDelay(retrier: Retrier, k: number, random: () => number): number {
  const delay = Math.min(
    retrier.intervalSeconds * retrier.backoffRate ** (k - 1),
    retrier.maxDelaySeconds ?? Number.POSITIVE_INFINITY,
    99_999_999,
  );
  return retrier.jitter === 'FULL' ? delay * random() : delay;
}

async function caught(kernel: Kernel, frame: Frame, catcher: Catcher, failure: Failure): Promise<void> {
  leaveBehind(kernel, frame);
  const output = errorOutput(failure);
  try {
    await leave(kernel, frame, {
      assign: catcher.assign,
      output: catcher.output,
      next: catcher.next,
      otherwise: payload(output),
      errorOutput: output,
    });
  } catch (error) {
    // A failure within a catcher is not caught again.
    if (error instanceof EvaluationFailure) {
      evaluationFailed(kernel, frame, error);
      await failScope(kernel, frame, { error: error.error, cause: error.cause_ });
    } else if (error instanceof StateFailed) {
      await failScope(kernel, frame, error.failure);
    } else {
      throw error;
    }
  }
}

/** Nothing took the failure: it ends the branch or iteration, or the execution. */
export async function failScope(kernel: Kernel, frame: Frame, failure: Failure): Promise<void> {
  if (frame.parent) {
    await childFailed(kernel, frame, failure);
    return;
  }
  frame.phase = 'failed';
  kernel.touch(frame);
  endExecution(kernel, frame.execution, { status: 'FAILED', ...endingOf(failure) });
}

const endingOf = ({ error, cause }: Failure): { error?: string; cause?: string } => ({
  ...(error === undefined ? {} : { error }),
  ...(cause === undefined ? {} : { cause }),
});
