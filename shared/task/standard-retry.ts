/** The Retry of every Lambda task (infra-api-cli section 9). */

/** What is worth trying again: our transient errors and Lambda's own. */
export const RETRIED_ERRORS = [
  'ModelThrottled',
  'ModelUnavailable',
  'StorageUnavailable',
  'DeadlineExceeded',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.TooManyRequestsException',
] as const;

export const STANDARD_RETRY = {
  ErrorEquals: [...RETRIED_ERRORS],
  IntervalSeconds: 2,
  MaxAttempts: 6,
  BackoffRate: 2,
  MaxDelaySeconds: 60,
  JitterStrategy: 'FULL',
};

/** Errors that stay errors however often they are tried; wildcards would try them, too. */
const NEVER = [
  'InvalidInput',
  'NotFound',
  'Conflict',
  'BudgetExhausted',
  'Cancelled',
  'Defect',
  'States.ALL',
  'States.TaskFailed',
];

interface Retrier {
  ErrorEquals?: unknown;
  IntervalSeconds?: number;
  MaxAttempts?: number;
  BackoffRate?: number;
  MaxDelaySeconds?: number;
  JitterStrategy?: string;
}

/**
 * What is wrong with a Lambda task's Retry, or undefined. Each retried error must meet a retrier at least as patient
 * as the standard one (inference waits longer); permanent errors must meet none.
 */
export function checkRetry(retry: unknown): string | undefined {
  if (!Array.isArray(retry) || retry.length === 0) return 'A Lambda task needs the standard Retry.';
  const retriers = retry as Retrier[];
  const namesOf = ({ ErrorEquals }: Retrier): unknown[] => (Array.isArray(ErrorEquals) ? ErrorEquals : []);
  for (const name of NEVER) {
    if (retriers.some((retrier) => namesOf(retrier).includes(name) && retrier.MaxAttempts !== 0)) {
      return `${name} must not be tried again: name the errors that pass.`;
    }
  }
  for (const name of RETRIED_ERRORS) {
    const retrier = retriers.find((candidate) => namesOf(candidate).includes(name));
    if (!retrier) return `${name} is not tried again: use the standard Retry.`;
    if ((retrier.MaxAttempts ?? 3) < STANDARD_RETRY.MaxAttempts)
      return `${name} is tried fewer than 6 times.`;
    if ((retrier.IntervalSeconds ?? 1) < STANDARD_RETRY.IntervalSeconds)
      return `${name} is tried again in under 2 s.`;
    if ((retrier.BackoffRate ?? 2) < STANDARD_RETRY.BackoffRate)
      return `The back-off of ${name} grows by less than 2.`;
    if (retrier.MaxDelaySeconds === undefined) return `The back-off of ${name} has no MaxDelaySeconds.`;
    if (retrier.JitterStrategy !== 'FULL') return `The back-off of ${name} needs "JitterStrategy": "FULL".`;
  }
  return undefined;
}
