import { ProviderError } from '#shared/models/types.ts';
import {
  AgentmillError,
  conflict,
  deadlineExceeded,
  defect,
  modelThrottled,
  modelUnavailable,
  notFound,
  storageUnavailable,
} from './errors.ts';

/** From what was thrown to the error names that state machines match (infra-api-cli section 9). */

const MISSING = new Set([
  'NoSuchKey',
  'NoSuchBucket',
  'NoSuchVersion',
  'NotFound',
  'ResourceNotFoundException',
]);
const PRECONDITION = new Set([
  'ConditionalCheckFailedException',
  'PreconditionFailed',
  'ConditionalRequestConflict',
]);
const TRANSIENT = new Set([
  'ThrottlingException',
  'Throttling',
  'ThrottledException',
  'TooManyRequestsException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'ProvisionedThroughputExceededException',
  'SlowDown',
  'ServiceUnavailable',
  'InternalServerError',
  'InternalError',
  'InternalFailure',
  'RequestTimeout',
  'TransactionConflictException',
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EBUSY',
  'EMFILE',
  'SQLITE_BUSY',
]);
/** SQLite's primary result codes for a database that is busy or locked. */
const SQLITE_TRANSIENT = new Set([5, 6]);

interface Thrown {
  name?: unknown;
  code?: unknown;
  errcode?: unknown;
  message?: unknown;
  $metadata?: { httpStatusCode?: number };
  cause?: unknown;
}

/**
 * The error of the taxonomy for anything thrown. What is of it already is returned as it is; an unknown fault becomes
 * a `Defect` whose message names the task only: the cause goes to the log, never into a payload.
 * @param where names the task in messages.
 * @param aborted whether the invocation's signal has fired: then an abort is `DeadlineExceeded`.
 */
export function toTaskError(thrown: unknown, where: string, aborted = false): AgentmillError {
  if (thrown instanceof AgentmillError) return thrown;
  if (thrown instanceof ProviderError) return modelError(thrown, where);
  const fault = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as Thrown;
  const names = [fault.name, fault.code].filter((name): name is string => typeof name === 'string');
  if (
    aborted &&
    names.some((name) => name === 'AbortError' || name === 'TimeoutError' || name === 'ABORT_ERR')
  ) {
    return deadlineExceeded(`${where} was stopped before it ended.`, { cause: thrown });
  }
  const is = (set: ReadonlySet<string>): boolean => names.some((name) => set.has(name));
  const status = fault.$metadata?.httpStatusCode;
  if (is(PRECONDITION) || status === 412) {
    return conflict(`${where}: a precondition failed, somebody else wrote first.`, { cause: thrown });
  }
  if (is(MISSING)) return notFound(`${where}: an object or record is missing.`, { cause: thrown });
  const sqlite = fault.code === 'ERR_SQLITE_ERROR' && SQLITE_TRANSIENT.has(Number(fault.errcode) & 0xff);
  if (is(TRANSIENT) || sqlite || status === 429 || (status !== undefined && status >= 500)) {
    return storageUnavailable(
      `${where}: storage did not answer (${names[0] ?? status}); it is tried again.`,
      {
        cause: thrown,
      },
    );
  }
  return defect(`Unexpected error in ${where}: its log has the cause.`, { cause: thrown });
}

function modelError(error: ProviderError, where: string): AgentmillError {
  switch (error.code) {
    case 'THROTTLED':
      return modelThrottled(`${where}: the model's endpoint throttles.`, { cause: error });
    case 'UNAVAILABLE':
    case 'TIMEOUT':
    case 'BAD_RESPONSE':
    case 'QUOTA':
      return modelUnavailable(`${where}: the model's endpoint is not available (${error.code}).`, {
        cause: error,
      });
    default:
      return defect(`Unexpected error in ${where}: the model's endpoint refused (${error.code}).`, {
        cause: error,
      });
  }
}
