import { AgentmillError, isError, type ErrorName, type FieldProblem } from './errors.ts';
import type { Problem } from './jobs.ts';

/** RFC 9457 problem documents: every kind the platform writes, to clients and into jobs (docs/problems.md). */

export const PROBLEMS = {
  'malformed-json': { status: 400, title: 'The body is not JSON' },
  'out-of-range': { status: 400, title: 'A number is out of its range' },
  'bad-cursor': { status: 400, title: 'The cursor is not of this list' },
  forbidden: { status: 403, title: 'Not allowed' },
  'not-found': { status: 404, title: 'Not found' },
  'idempotency-conflict': { status: 409, title: 'The key was used for another body' },
  'not-cancellable': { status: 409, title: 'The job has ended' },
  'not-resumable': { status: 409, title: 'The job cannot be resumed' },
  'run-ended': { status: 409, title: 'The run has ended' },
  conflict: { status: 409, title: 'Somebody else wrote first' },
  'payload-too-large': { status: 413, title: 'Too large' },
  'unsupported-media-type': { status: 415, title: 'The body must be application/json' },
  'invalid-input': { status: 422, title: 'The input is not valid' },
  'unknown-workflow': { status: 422, title: 'There is no such workflow' },
  'unsupported-object': { status: 422, title: 'The object cannot be processed' },
  'budget-above-limit': { status: 422, title: 'The budget is above the limit' },
  'too-many-jobs': { status: 429, title: 'Too many jobs in flight' },
  internal: { status: 500, title: 'Internal error' },
  unavailable: { status: 503, title: 'Temporarily unavailable' },
  // Endings of jobs; they occur in a job's `error` only.
  'budget-exhausted': { status: 402, title: 'The budget is used up' },
  cancelled: { status: 409, title: 'The job was cancelled' },
  'task-failed': { status: 500, title: 'A task failed' },
  'nothing-made': { status: 422, title: 'Nothing could be made of the input' },
  'tolerance-exceeded': { status: 500, title: 'Too many items failed' },
  'timed-out': { status: 504, title: 'The execution ran out of time' },
  'execution-stopped': { status: 500, title: 'The execution ended without finishing its job' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemSlug = keyof typeof PROBLEMS;

export const problemType = (slug: ProblemSlug): string => `urn:agentmill:problem:${slug}`;
export const MAX_PROBLEM_ERRORS = 20;

/** A problem document. At most 20 field errors; pointers become fragments such as `#/input/seeds/0`. */
export function problem(
  slug: ProblemSlug,
  detail: string,
  more: { instance?: string; errors?: readonly FieldProblem[] } = {},
): Problem {
  const errors = more.errors?.slice(0, MAX_PROBLEM_ERRORS).map((error) => ({
    ...error,
    pointer: error.pointer.startsWith('#') ? error.pointer : `#${error.pointer}`,
  }));
  return {
    type: problemType(slug),
    ...PROBLEMS[slug],
    detail,
    ...(more.instance === undefined ? {} : { instance: more.instance }),
    ...(errors && errors.length > 0 ? { errors } : {}),
  };
}

export const slugOf = (document: Problem): ProblemSlug | undefined => {
  const slug = document.type.slice(problemType('' as ProblemSlug).length);
  return Object.hasOwn(PROBLEMS, slug) ? (slug as ProblemSlug) : undefined;
};

const OF_ERROR: Record<ErrorName, ProblemSlug> = {
  InvalidInput: 'invalid-input',
  NotFound: 'not-found',
  Conflict: 'conflict',
  ModelThrottled: 'unavailable',
  ModelUnavailable: 'unavailable',
  StorageUnavailable: 'unavailable',
  DeadlineExceeded: 'timed-out',
  BudgetExhausted: 'budget-exhausted',
  Cancelled: 'cancelled',
  Defect: 'internal',
};

/** An error that knows which problem document it is; `name` stays one of the taxonomy. */
export class ProblemError extends AgentmillError {
  readonly slug: ProblemSlug;

  constructor(
    slug: ProblemSlug,
    detail: string,
    options: {
      name?: ErrorName;
      problems?: FieldProblem[];
      cause?: unknown;
      data?: Record<string, unknown>;
    } = {},
  ) {
    const { name = PROBLEMS[slug].status === 409 ? 'Conflict' : 'InvalidInput', ...details } = options;
    super(name, detail, details);
    this.slug = slug;
  }
}

/** The problem document of any error. What is no error of the taxonomy, and Defects, say nothing of their cause. */
export function problemOf(error: unknown, instance?: string): Problem {
  const more = instance === undefined ? {} : { instance };
  if (error instanceof ProblemError)
    return problem(error.slug, error.message, { ...more, errors: error.problems });
  if (!isError(error) || error.name === 'Defect') {
    return problem('internal', 'Something went wrong on our side; the log has the cause.', more);
  }
  return problem(OF_ERROR[error.name], error.message, { ...more, errors: error.problems });
}

/** The problem document of a task's failure as a state machine reports it (`{Error, Cause}`). */
export function problemOfFailure(failure: {
  error?: string | undefined;
  cause?: string | undefined;
}): Problem {
  const name = failure.error ?? 'States.Runtime';
  const detail = messageOfCause(failure.cause) ?? `The execution failed with ${name}.`;
  if (Object.hasOwn(OF_ERROR, name) && name !== 'Defect') return problem(OF_ERROR[name as ErrorName], detail);
  if (name === 'States.Timeout') return problem('timed-out', detail);
  if (name === 'ToleranceExceeded' || name === 'States.ExceedToleratedFailureThreshold') {
    return problem('tolerance-exceeded', detail);
  }
  return problem('task-failed', `${name}: ${detail}`);
}

const MAX_DETAIL = 1_000;

/** Lambda's cause is `{"errorType","errorMessage","trace"}`: only the message is for people. */
function messageOfCause(cause: string | undefined): string | undefined {
  if (cause === undefined || cause === '') return undefined;
  try {
    const parsed = JSON.parse(cause) as { errorMessage?: unknown } | null;
    if (typeof parsed?.errorMessage === 'string') return parsed.errorMessage.slice(0, MAX_DETAIL);
  } catch {
    // Plain text.
  }
  return cause.slice(0, MAX_DETAIL);
}
