import type { ExecutionStatus } from '#shared/storage/ports.ts';
import { abortFrame } from './abort.ts';
import { HistoryFull } from './failure.ts';
import { clipCause, type Kernel } from './kernel.ts';
import { childEnded } from './map-run.ts';
import type { Execution } from './model.ts';
import type { Payload } from './payload.ts';
import { nestedEnded } from './nested.ts';

export interface Ending {
  status: Exclude<ExecutionStatus, 'RUNNING'>;
  output?: Payload;
  error?: string;
  cause?: string;
}

const EVENTS = {
  SUCCEEDED: ['ExecutionSucceeded', 'executionSucceededEventDetails'],
  FAILED: ['ExecutionFailed', 'executionFailedEventDetails'],
  TIMED_OUT: ['ExecutionTimedOut', 'executionTimedOutEventDetails'],
  ABORTED: ['ExecutionAborted', 'executionAbortedEventDetails'],
} as const;

/**
 * Ends an execution: its last event, its status, and the news to whoever waits for it. Frames of an execution that
 * did not succeed stay in the store for a redrive.
 */
export function endExecution(kernel: Kernel, execution: Execution, ending: Ending): void {
  if (execution.status !== 'RUNNING') return;
  const { root } = execution;
  if (root) {
    if (ending.status === 'SUCCEEDED') {
      kernel.dropChildren(root);
      root.removed = true;
    } else {
      stopEverything(kernel, execution);
    }
    kernel.touch(root);
  }
  const cause = ending.cause === undefined ? undefined : clipCause(ending.cause);
  const [type, details] = EVENTS[ending.status];
  kernel.append(execution, type, root?.lastEvent ?? 0, [
    details,
    ending.output
      ? { output: ending.output.text, outputDetails: { truncated: false } }
      : { error: ending.error, cause },
  ]);
  execution.status = ending.status;
  if (ending.output) execution.output = ending.output;
  if (ending.error !== undefined) execution.error = ending.error;
  if (cause !== undefined) execution.cause = cause;
  execution.stopped = kernel.now();
  kernel.cancelTimer(execution.timer);
  delete execution.timer;
  kernel.readyFrames -= execution.ready.length;
  execution.ready = [];
  kernel.executions.delete(execution.arn);
  delete execution.root;
  kernel.touchExecution(execution);
  if (execution.parent) childEnded(kernel, execution, execution.parent.run);
  if (execution.notify !== undefined) nestedEnded(kernel, execution);
  kernel.ended(execution);
}

function stopEverything(kernel: Kernel, execution: Execution): void {
  const { root } = execution;
  if (!root || root.phase === 'failed') return;
  try {
    abortFrame(kernel, root);
  } catch (error) {
    if (!(error instanceof HistoryFull)) throw error;
    kernel.quietly(() => abortFrame(kernel, root));
  }
  root.phase = 'failed';
}
