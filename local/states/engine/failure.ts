import type { Json } from '#shared/storage/ports.ts';

/** Names of the errors that the engine itself reports (embedded-platform section 2). */
export const TIMEOUT = 'States.Timeout';
export const HEARTBEAT_TIMEOUT = 'States.HeartbeatTimeout';
export const TASK_FAILED = 'States.TaskFailed';
export const BRANCH_FAILED = 'States.BranchFailed';
export const NO_CHOICE_MATCHED = 'States.NoChoiceMatched';
export const DATA_LIMIT_EXCEEDED = 'States.DataLimitExceeded';
export const RUNTIME = 'States.Runtime';
export const THRESHOLD_EXCEEDED = 'States.ExceedToleratedFailureThreshold';
export const ITEM_READER_FAILED = 'States.ItemReaderFailed';
export const RESULT_WRITER_FAILED = 'States.ResultWriterFailed';

/** Why a state failed. `also` holds further names under which Retry and Catch match it. */
export interface Failure {
  /** Absent where a Fail state names none. */
  error?: string;
  cause?: string;
  also?: readonly string[];
}

/** Thrown within a step: the state fails, and its Retry and Catch apply where it has them. */
export class StateFailed extends Error {
  override readonly name = 'StateFailed';
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(`${failure.error ?? 'no error'}: ${failure.cause ?? 'no cause'}`);
    this.failure = failure;
  }
}

/** Thrown when an execution has no room for another event but its last. */
export class HistoryFull extends Error {
  override readonly name = 'HistoryFull';
}

/** Whether a retrier's or catcher's names take a failure. */
export function matches(errorEquals: readonly string[], failure: Failure): boolean {
  const error = failure.error ?? '';
  // Nothing handles States.Runtime; a data limit is handled only where it is named.
  if (error === RUNTIME) return false;
  for (const name of errorEquals) {
    if (name === error || failure.also?.includes(name)) return true;
    if (error === DATA_LIMIT_EXCEEDED) continue;
    if (name === 'States.ALL') return true;
    if (name === TASK_FAILED && error !== TIMEOUT && error !== HEARTBEAT_TIMEOUT) return true;
  }
  return false;
}

/** `$states.errorOutput`: without a `Cause` key where there is none. */
export const errorOutput = (failure: Failure): { [key: string]: Json } => ({
  ...(failure.error === undefined ? {} : { Error: failure.error }),
  ...(failure.cause === undefined ? {} : { Cause: failure.cause }),
});
