import type { InferErrorCode } from '../types.ts';

/** What is known of a failed attempt, whatever endpoint it came from. */
export interface Fault {
  /** The exception's name where the endpoint names one (the AWS services do). */
  exceptionName?: string;
  /** The HTTP status of the answer. */
  status?: number;
  /** What the container behind SageMaker answered (ModelError's OriginalStatusCode). */
  originalStatus?: number;
  message?: string | null;
  /** The operating system's or TLS library's name of a connection fault, such as ECONNRESET. */
  networkCode?: string;
  /** Faults that have no name and no status of their own. */
  kind?: 'timeout' | 'unreadable' | 'stream-cut' | 'empty' | 'content-filter';
  /** Part of an answer had already come. */
  midStream?: boolean;
}

export interface Verdict {
  code: InferErrorCode;
  /** Whether the endpoint's owner charges for the attempt (model-inference section 7). */
  billed: 'yes' | 'no' | 'unknown';
  /** Still starting: retry until the deadline, never a fault for the breaker. */
  untilDeadline: boolean;
}

const QUOTA = /quota|credit|billing/i;
const NOT_FOUND = /not found|could not find|does not exist/i;
const EXPIRED_TOKEN = /expired.{0,24}token|token.{0,60}expired/i;
/** How servers and gateways say that a prompt is too long. */
const CONTEXT =
  /context.{0,8}(?:length|window|size|limit)|(?:prompt|input|token count).{0,40}exceeds?.{0,40}(?:maximum|limit)|tokens in the prompt cannot exceed|too many (?:input )?tokens|maximum model length|max_model_len|max_input_(?:length|tokens)|(?:prompt|input|inputs|request).{0,24}too (?:long|large|many tokens)|inputs`? tokens|inputs`? must have less than/i;

const THROTTLING =
  /^(?:Throttl|TooManyRequests|RequestLimitExceeded|RequestThrottled|ProvisionedThroughputExceeded|SlowDown|LimitExceeded)/;
const UNAUTHORISED =
  /^(?:AccessDenied|ExpiredToken|UnrecognizedClient|InvalidSignature|SignatureDoesNotMatch|MissingAuthenticationToken|IncompleteSignature|InvalidClientTokenId|NotAuthorized|OptInRequired|CredentialsProviderError|TokenProviderError)/;

/** Connection faults before a request can have reached anyone. */
const NEVER_ARRIVED =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT|CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/;

const verdict = (code: InferErrorCode, billed: Verdict['billed'], untilDeadline = false): Verdict => ({
  code,
  billed,
  untilDeadline,
});

/**
 * The error table of model-inference section 9: the first row that matches wins, exception names before statuses.
 * Pure. Rows that were refused before generation are `billed: no`; where generation may have happened, `unknown`.
 */
export function classify(fault: Fault): Verdict {
  const found = byName(fault) ?? byStatus(fault) ?? byKind(fault) ?? verdict('DEFECT', 'unknown');
  return fault.midStream && found.billed === 'no' ? { ...found, billed: 'unknown' } : found;
}

function byName(fault: Fault): Verdict | undefined {
  const name = fault.exceptionName;
  if (!name) return undefined;
  const message = fault.message ?? '';
  if (/^(?:ServiceQuotaExceeded|InsufficientQuota)/.test(name)) return verdict('QUOTA', 'no');
  if (name === 'ModelNotReadyException') return verdict('UNAVAILABLE', 'no', true);
  if (THROTTLING.test(name)) return verdict('THROTTLED', 'no');
  if (name === 'ModelError') return byOriginalStatus(fault, message);
  if (UNAUTHORISED.test(name)) return verdict('AUTH', 'no');
  if (name === 'ValidationError' || name === 'ValidationException') {
    if (NOT_FOUND.test(message)) return verdict('NOT_FOUND', 'no');
    return verdict(CONTEXT.test(message) ? 'CONTEXT_OVERFLOW' : 'BAD_REQUEST', 'no');
  }
  if (name.startsWith('ServiceUnavailable') || name.startsWith('Internal'))
    return verdict('UNAVAILABLE', 'no');
  if (name === 'ModelStreamError') return verdict('TIMEOUT', 'unknown');
  if (name === 'TimeoutError' || name === 'RequestTimeout') return verdict('TIMEOUT', 'unknown');
  return undefined;
}

function byOriginalStatus(fault: Fault, message: string): Verdict {
  const status = fault.originalStatus ?? 0;
  if (status === 429) return verdict('THROTTLED', 'no');
  // SageMaker itself answers 424 for every ModelError, so the message alone decides.
  if (CONTEXT.test(message)) return verdict('CONTEXT_OVERFLOW', 'no');
  if (status >= 400 && status < 500) return verdict('BAD_REQUEST', 'no');
  if (status >= 500 || status === 0) return verdict('UNAVAILABLE', 'no');
  return verdict('BAD_RESPONSE', 'unknown');
}

function byStatus(fault: Fault): Verdict | undefined {
  const { status } = fault;
  // A kind says that the status line was fine and what came after it was not.
  if (status === undefined || fault.kind) return undefined;
  const message = fault.message ?? '';
  if (status === 402) return verdict('QUOTA', 'no');
  if ([400, 403, 429].includes(status) && QUOTA.test(message)) return verdict('QUOTA', 'no');
  if (status === 429) return verdict('THROTTLED', 'no');
  if (status === 401 || status === 403) return verdict('AUTH', 'no');
  if (status >= 400 && status < 500 && EXPIRED_TOKEN.test(message)) return verdict('AUTH', 'no');
  if (status === 404) return verdict('NOT_FOUND', 'no');
  if ([400, 413, 424].includes(status) && CONTEXT.test(message)) return verdict('CONTEXT_OVERFLOW', 'no');
  if (status >= 400 && status < 500) return verdict('BAD_REQUEST', 'no');
  if (status >= 500) return verdict('UNAVAILABLE', 'no');
  // A redirection is not followed: nothing was generated.
  return status >= 300 ? verdict('DEFECT', 'no') : undefined;
}

function byKind(fault: Fault): Verdict | undefined {
  switch (fault.kind) {
    case 'timeout':
      return verdict(
        'TIMEOUT',
        fault.networkCode && NEVER_ARRIVED.test(fault.networkCode) ? 'no' : 'unknown',
      );
    case 'unreadable':
    case 'stream-cut':
      return verdict('BAD_RESPONSE', 'unknown');
    case 'empty':
      return verdict('EMPTY', 'yes');
    case 'content-filter':
      return verdict('CONTENT_FILTERED', 'yes');
    default:
      if (!fault.networkCode) return undefined;
      return verdict('UNAVAILABLE', NEVER_ARRIVED.test(fault.networkCode) ? 'no' : 'unknown');
  }
}
