import {
  conflict,
  defect,
  invalidInput,
  isError,
  notFound,
  storageUnavailable,
} from '#shared/task/errors.ts';

/** How the failures of AWS services become the error names of the platform (infra-api-cli section 9). */

const NOT_FOUND = new Set([
  'NoSuchKey',
  'NotFound',
  'NoSuchVersion',
  'ExecutionDoesNotExist',
  'StateMachineDoesNotExist',
  'QueueDoesNotExist',
]);
const CONFLICT = new Set([
  'PreconditionFailed',
  'ConditionalRequestConflict',
  'ConditionalCheckFailedException',
  'ExecutionAlreadyExists',
  'ExecutionNotRedrivable',
  'TaskTimedOut',
  'TaskDoesNotExist',
]);
const INVALID = new Set([
  'ValidationException',
  'InvalidToken',
  'InvalidArn',
  'InvalidName',
  'InvalidExecutionInput',
  'InvalidOutput',
  'InvalidRange',
  'InvalidArgument',
  'InvalidMessageContents',
  'InvalidParameterValue',
  'BatchRequestTooLong',
  'EntityTooLarge',
  'ItemCollectionSizeLimitExceededException',
]);
const THROTTLED = new Set([
  'ThrottlingException',
  'Throttling',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'OverLimit',
  'SlowDown',
  'TooManyRequestsException',
  'ExecutionLimitExceeded',
  'TimeoutError',
  'RequestTimeout',
]);
const NETWORK = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_HTTP2_STREAM_ERROR',
]);

interface ServiceError {
  name?: string;
  code?: string;
  message?: string;
  $metadata?: { httpStatusCode?: number; requestId?: string };
}

/** The service's own name of an error, such as `NoSuchKey`. */
export const serviceErrorName = (error: unknown): string =>
  String((error as ServiceError | null)?.name ?? '');

/**
 * The error of the taxonomy for what an SDK call threw; `what` names the call, such as `S3 GetObject a/b`.
 * `data.code` keeps the service's name for it.
 */
export function awsError(error: unknown, what: string): Error {
  if (isError(error)) return error;
  const { name = '', code = '', message = '', $metadata } = (error ?? {}) as ServiceError;
  const status = $metadata?.httpStatusCode ?? 0;
  const text = `${what}: ${name}${message === '' ? '' : `: ${message}`}`;
  const details = { cause: error, data: { code: name } };
  if (NOT_FOUND.has(name)) return notFound(text, details);
  if (CONFLICT.has(name) || status === 412) return conflict(text, details);
  if (INVALID.has(name) || status === 416) return invalidInput(text, details);
  if (THROTTLED.has(name) || NETWORK.has(code) || status === 429 || status >= 500 || status === 304) {
    return storageUnavailable(text, details);
  }
  // The body of an answer that was cut off while it was read.
  if (message === 'aborted' || message === 'terminated' || /premature|socket hang up/i.test(message)) {
    return storageUnavailable(text, details);
  }
  return status === 404 ? notFound(text, details) : defect(text, details);
}

/** Runs an SDK call, turning what it throws into the taxonomy. */
export async function calling<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw awsError(error, what);
  }
}
