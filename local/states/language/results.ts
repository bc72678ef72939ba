import type { Json } from '#shared/storage/ports.ts';
import { evaluate, QUERY_EVALUATION_ERROR, visit } from './evaluate.ts';
import { MAX_PAYLOAD_BYTES, MAX_READER_ITEMS, MAX_SECONDS } from './limits.ts';
import { marksOf } from './expression.ts';
import { EvaluationFailure, type Scope, type Template } from './types.ts';
import { numberProblem, type NumberRange } from './validation/fields.ts';
import { timestampProblem } from './validation/timestamp.ts';

/** A field's result type: gives the value, or what was expected of it. */
export interface ResultType<T extends Json> {
  /** As causes name it: `boolean`, `integer`, `array`. */
  readonly expected: string;
  /** What is wrong with a value of the right type, such as one out of range; undefined where nothing is. */
  problem?(value: T): string | undefined;
  is(value: Json): value is T;
}

const isNumber = (value: Json): value is number => typeof value === 'number';
const isText = (value: Json): value is string => typeof value === 'string';

const number = (range: NumberRange): ResultType<number> => ({
  expected: 'number',
  is: isNumber,
  problem: (value) => numberProblem(value, range),
});
const integer = (min: number, max: number): ResultType<number> => number({ min, max, integer: true });

/** The result types of section 2, by the field they belong to. */
export const resultTypes = {
  condition: { expected: 'boolean', is: (value: Json): value is boolean => typeof value === 'boolean' },
  timeoutSeconds: integer(1, MAX_SECONDS),
  heartbeatSeconds: integer(1, MAX_SECONDS),
  seconds: integer(0, MAX_SECONDS),
  timestamp: { expected: 'string', is: isText, problem: timestampProblem },
  maxConcurrency: integer(0, Number.MAX_SAFE_INTEGER),
  toleratedFailureCount: integer(0, Number.MAX_SAFE_INTEGER),
  toleratedFailurePercentage: number({ min: 0, max: 100, integer: false }),
  /** An inline Map's items: an array. The service refuses an object here (recorded behaviour). */
  items: { expected: 'array', is: (value: Json): value is Json[] => Array.isArray(value) },
  /** A Distributed Map's items: an array or an object. */
  distributedItems: {
    expected: 'array or object',
    is: (value: Json): value is Json[] | { [key: string]: Json } =>
      typeof value === 'object' && value !== null,
  },
  /** `Error` and `Cause` of Fail. */
  text: { expected: 'string', is: isText },
  /** `Arguments` of a service integration, a reader or a writer. */
  object: {
    expected: 'object',
    is: (value: Json): value is { [key: string]: Json } =>
      typeof value === 'object' && value !== null && !Array.isArray(value),
  },
  maxItems: integer(1, MAX_READER_ITEMS),
  maxItemsPerBatch: integer(1, Number.MAX_SAFE_INTEGER),
  maxInputBytesPerBatch: integer(1, MAX_PAYLOAD_BYTES),
} satisfies Record<string, ResultType<never> | ResultType<any>>; // eslint-disable-line @typescript-eslint/no-explicit-any

/** JSON's name of a value's type, as causes print it. */
export function typeName(value: Json): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/**
 * Evaluates a field and checks its result type; synchronous where `evaluate` is.
 * @throws EvaluationFailure, also for a result of another type or out of range
 * @example const seconds = await evaluateAs(resultTypes.seconds, state.seconds, scope);
 */
export function evaluateAs<T extends Json>(
  type: ResultType<T>,
  template: Template,
  scope: Scope,
): T | Promise<T> {
  const value = evaluate(template, scope);
  return value instanceof Promise
    ? value.then((settled) => checkResult(type, settled, template, scope))
    : checkResult(type, value, template, scope);
}

/** Checks a value that a template evaluated to. */
export function checkResult<T extends Json>(
  type: ResultType<T>,
  value: Json,
  template: Template,
  scope: Scope,
): T {
  if (!type.is(value)) {
    const found = `Expected '${type.expected}', but was '${typeName(value)}' for value: ${JSON.stringify(value)}`;
    throw resultFailure(template, scope, `returned an unexpected result type. ${found}`);
  }
  const problem = type.problem?.(value);
  if (problem === undefined) return value;
  throw resultFailure(
    template,
    scope,
    `returned an invalid value. The value ${problem}, but was ${JSON.stringify(value)}`,
  );
}

function resultFailure(template: Template, scope: Scope, end: string): EvaluationFailure {
  const { source, field } = template;
  const expression = typeof source === 'string' && marksOf(source) === 'expression';
  const subject = expression ? `The JSONata expression '${source.slice(2, -2).trim()}'` : 'The value';
  const cause = `${visit(scope)} ${subject} specified for the field '${field}' ${end}`;
  return new EvaluationFailure(QUERY_EVALUATION_ERROR, cause, field);
}
