import type { InferErrorCode } from '../types.ts';

interface Rule {
  /** Fixed per code, so that results do not differ between runs. */
  message: string;
  /** Attempts that may fail this way before the request has failed. */
  attempts: number;
  /** Whether asking again later can help. */
  retryable: boolean;
  status: 'rejected' | 'failed';
}

const failed = (attempts: number, retryable: boolean, message: string): Rule => ({
  message,
  attempts,
  retryable,
  status: 'failed',
});
const rejected = (attempts: number, message: string): Rule => ({
  message,
  attempts,
  retryable: false,
  status: 'rejected',
});

/** What becomes of each error code (model-inference sections 2, 5 and 9). */
export const CODES: Record<InferErrorCode, Rule> = {
  QUOTA: failed(1, true, 'The account of the endpoint has no quota or credit left.'),
  UNAVAILABLE: failed(3, true, 'The endpoint is not available.'),
  THROTTLED: failed(8, true, 'The endpoint refuses more requests for now.'),
  AUTH: failed(1, true, 'The endpoint refuses our credentials.'),
  NOT_FOUND: failed(1, false, 'The endpoint or its model does not exist.'),
  CONTEXT_OVERFLOW: failed(1, false, 'The prompt does not fit the context of the model.'),
  BAD_REQUEST: failed(1, false, 'The endpoint refuses the request.'),
  TIMEOUT: failed(2, true, 'The endpoint did not answer in time.'),
  BAD_RESPONSE: failed(3, true, 'The answer of the endpoint cannot be read.'),
  EMPTY: rejected(2, 'The model answered nothing.'),
  CONTENT_FILTERED: rejected(1, 'The answer was withheld by a content filter.'),
  DEFECT: failed(1, false, 'The call failed for a reason that is not known.'),
  TRUNCATED: rejected(1, 'The answer was cut off at the output limit.'),
  PARSE_ERROR: rejected(1, 'The answer is not the JSON that was asked for.'),
  SCHEMA_INVALID: rejected(1, 'The answer does not fit the schema.'),
  EXPIRED: failed(1, true, 'The asynchronous endpoint did not answer before the request expired.'),
  PACKAGE_MISSING: failed(1, false, 'An optional package that the model needs is not installed.'),
  FILE_MISSING: failed(1, false, 'The file of the model is missing or is not the expected one.'),
  NO_BUILTIN: failed(1, false, 'The role has no built-in algorithm.'),
  REPLAY_MISS: failed(1, false, 'The recording has no answer to this request.'),
};
