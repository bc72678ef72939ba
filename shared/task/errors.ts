/**
 * The error names that state machines retry and catch (DESIGN section 3). A bad item is never one of these:
 * it becomes a reject record.
 */
export const ERROR_NAMES = [
  'InvalidInput',
  'NotFound',
  'Conflict',
  'ModelThrottled',
  'ModelUnavailable',
  'StorageUnavailable',
  'DeadlineExceeded',
  'BudgetExhausted',
  'Cancelled',
  'Defect',
] as const;

export type ErrorName = (typeof ERROR_NAMES)[number];

/** One fault of an input: where (JSON Pointer into it), a stable code, and what is wrong and what to do. */
export interface FieldProblem {
  pointer: string;
  code: string;
  detail: string;
}

export interface ErrorDetails {
  cause?: unknown;
  /** The faults of an InvalidInput, by field. */
  problems?: FieldProblem[];
  /** Extra facts for programs, such as the current item of a Conflict. Never secrets or document text. */
  data?: Record<string, unknown>;
}

/** An error of the taxonomy. `name` is what ASL matches; `message` says what is wrong and what to do. */
export class AgentmillError extends Error {
  override readonly name: ErrorName;
  readonly problems: FieldProblem[];
  readonly data: Record<string, unknown>;

  constructor(name: ErrorName, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = name;
    this.problems = details.problems ?? [];
    this.data = details.data ?? {};
  }
}

const make =
  (name: ErrorName) =>
  (message: string, details?: ErrorDetails): AgentmillError =>
    new AgentmillError(name, message, details);

/** `throw invalidInput('…')` and so on: one maker a name. */
export const invalidInput = make('InvalidInput');
export const notFound = make('NotFound');
export const conflict = make('Conflict');
export const modelThrottled = make('ModelThrottled');
export const modelUnavailable = make('ModelUnavailable');
export const storageUnavailable = make('StorageUnavailable');
export const deadlineExceeded = make('DeadlineExceeded');
export const budgetExhausted = make('BudgetExhausted');
export const cancelled = make('Cancelled');
export const defect = make('Defect');

/** Whether a value is an error of the given name (any name of the taxonomy when omitted). */
export function isError(value: unknown, name?: ErrorName): value is AgentmillError {
  return value instanceof AgentmillError && (name === undefined || value.name === name);
}
