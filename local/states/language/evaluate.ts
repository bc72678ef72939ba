import type { Json } from '#shared/storage/ports.ts';
import type { CompiledExpression } from './expression.ts';
import { statesOf } from './expression.ts';
import { BAIL } from './fast-path.ts';
import { NotJson, toJson } from './json-result.ts';
import type { CompiledTemplate, TemplateNode } from './template.ts';
import { EvaluationFailure, type Scope, type Template } from './types.ts';

/** The error name of every failure of an expression. */
export const QUERY_EVALUATION_ERROR = 'States.QueryEvaluationError';

/**
 * The value of a template in a scope: the source with every expression replaced by its result. The value may share
 * structure with the scope and the definition, so treat all of them as immutable.
 *
 * Constants and the expressions that JSONata itself is not needed for (paths, variables, comparisons, arithmetic and
 * constructors of these, on ordinary values) are answered at once; otherwise a promise is returned. So
 * `const value = evaluate(template, scope); if (value instanceof Promise) …` keeps a hot loop free of promises, and
 * `await evaluate(template, scope)` is right everywhere.
 *
 * Expressions are evaluated in document order; the first failure ends the evaluation.
 * @throws EvaluationFailure (or rejects with it): the cause text is the service's, `location` the field
 */
export function evaluate(template: Template, scope: Scope): Json | Promise<Json> {
  if (template.constant) return template.source;
  return node((template as CompiledTemplate).root, scope);
}

function node(part: TemplateNode, scope: Scope): Json | Promise<Json> {
  switch (part.kind) {
    case 'constant':
      return part.value;
    case 'expression':
      return expression(part.expression, part.location, scope);
    case 'array':
      return inOrder(part.items, scope, (values) => values);
    case 'object':
      return inOrder(
        part.members.map(([, member]) => member),
        scope,
        (values) => Object.fromEntries(part.members.map(([key], index) => [key, values[index]!])),
      );
  }
}

/** Evaluates parts one after the other, without promises for as long as none is needed. */
function inOrder(
  parts: readonly TemplateNode[],
  scope: Scope,
  build: (values: Json[]) => Json,
): Json | Promise<Json> {
  const values: Json[] = [];
  for (let at = 0; at < parts.length; at++) {
    const value = node(parts[at]!, scope);
    if (value instanceof Promise) return finish(value, parts, at, values, scope, build);
    values.push(value);
  }
  return build(values);
}

async function finish(
  pending: Promise<Json>,
  parts: readonly TemplateNode[],
  from: number,
  values: Json[],
  scope: Scope,
  build: (values: Json[]) => Json,
): Promise<Json> {
  values.push(await pending);
  for (const part of parts.slice(from + 1)) values.push(await node(part, scope));
  return build(values);
}

function expression(compiled: CompiledExpression, location: string, scope: Scope): Json | Promise<Json> {
  const value = compiled.fast === undefined ? BAIL : compiled.fast(scope);
  if (value === BAIL) return fully(compiled, location, scope);
  // The fast path builds its values from JSON alone, so they are JSON.
  if (value === undefined) throw failure(scope, compiled.text, location, 'returned nothing (undefined).');
  return value as Json;
}

async function fully(compiled: CompiledExpression, location: string, scope: Scope): Promise<Json> {
  let value: unknown;
  try {
    value = await compiled.run(scope);
    if (value !== undefined) return toJson(value);
  } catch (error) {
    throw failure(scope, compiled.text, location, describe(error));
  }
  throw failure(scope, compiled.text, location, 'returned nothing (undefined).');
}

/** The end of a cause, for whatever JSONata, a bound or a function threw. */
function describe(error: unknown): string {
  if (error instanceof NotJson) {
    return `returned an unexpected result type. Expected a JSON value, but was '${error.found}'.`;
  }
  const { code, message } = (typeof error === 'object' && error !== null ? error : {}) as {
    code?: unknown;
    message?: unknown;
  };
  const text = typeof message === 'string' ? message : String(error);
  if (typeof code === 'string') return `threw an error during evaluation. ${code}: ${text}`;
  return `threw an error during evaluation: ${text}`;
}

/**
 * A failure of one expression, in the service's words.
 * @param end - what follows `specified for the field '…'`
 */
export function failure(scope: Scope, text: string, location: string, end: string): EvaluationFailure {
  const cause = `${visit(scope)} The JSONata expression '${text}' specified for the field '${location}' ${end}`;
  return new EvaluationFailure(QUERY_EVALUATION_ERROR, cause, location);
}

/** The sentence that opens every cause of a failure within a state. */
export const visit = (scope: Scope): string =>
  `An error occurred while executing the state '${scope.stateName}' (entered at the event id #${scope.enteredEventId}).`;

export { statesOf };
