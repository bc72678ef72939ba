import jsonata from 'jsonata';
import type { Json } from '#shared/storage/ports.ts';
import { referencesOf, type Node, type References } from './ast.ts';
import { BOUNDS, Bounds, onEnter, onLeave } from './bounds.ts';
import { compileFast, type FastExpression } from './fast-path.ts';
import * as functions from './functions.ts';
import { guardMembers, OWN_MEMBER, ownMember } from './own-members.ts';
import type { Scope } from './types.ts';

/** One `{% … %}` text, parsed. */
export interface CompiledExpression {
  /** The expression without its marks and outer spaces, as causes print it. */
  readonly text: string;
  readonly references: References;
  /** Gives the result at once, or `BAIL` where only JSONata itself can tell. Absent where it never could. */
  readonly fast?: FastExpression;
  /** JSONata's own result, whatever it is; rejects with JSONata's error object or a bound's `{ message }`. */
  run(scope: Scope): Promise<unknown>;
}

export type ParsedExpression =
  { ok: true; expression: CompiledExpression } | { ok: false; message: string; position?: number };

const OPEN = '{%';
const CLOSE = '%}';

/** Whether a text carries both marks, one of them, or none (then it is a literal). */
export function marksOf(text: string): 'expression' | 'half' | 'literal' {
  const opens = text.startsWith(OPEN);
  const closes = text.endsWith(CLOSE) && text.length >= OPEN.length + CLOSE.length;
  if (opens && closes) return 'expression';
  return opens || text.endsWith(CLOSE) ? 'half' : 'literal';
}

/** Parses a text that carries both marks. Never throws. */
export function parseExpression(marked: string): ParsedExpression {
  const text = marked.slice(OPEN.length, -CLOSE.length).trim();
  if (text === '') return { ok: false, message: 'The JSONata expression is empty' };
  let parsed: jsonata.Expression;
  try {
    parsed = jsonata(text);
  } catch (error) {
    const { message, position } = error as { message?: string; position?: number };
    return { ok: false, message: message ?? String(error), ...(position === undefined ? {} : { position }) };
  }
  const tree = parsed.ast() as unknown as Node;
  const references = referencesOf(tree);
  const fast = compileFast(tree);
  guardMembers(tree);
  addFunctions(parsed);
  return {
    ok: true,
    expression: {
      text,
      references,
      ...(fast === undefined ? {} : { fast }),
      run: (scope) => inTurn(() => evaluateFully(parsed, references, scope)),
    },
  };
}

function addFunctions(parsed: jsonata.Expression): void {
  parsed.registerFunction('partition', functions.partition, '<an?:a>');
  parsed.registerFunction('range', functions.range, '<n?n?n?:a>');
  parsed.registerFunction('hash', functions.hash, '<s?s?:s>');
  parsed.registerFunction('random', functions.random as () => number, '<x?:n>');
  parsed.registerFunction('uuid', functions.uuid as () => string, '<:s>');
  parsed.registerFunction('parse', functions.parse, '<s?:x>');
  parsed.registerFunction('now', functions.now as () => unknown, '<s?s?:s>');
  parsed.registerFunction('millis', functions.millis as () => number, '<:n>');
  parsed.registerFunction('lookup', ownMember, '<x-s:x>');
  parsed.registerFunction(OWN_MEMBER, function (this: functions.Focus, name: string) {
    return ownMember(this.input, name);
  } as (name: string) => unknown);
  // The service has no $eval: calling it is calling what is not a function (T1006).
  parsed.assign('eval', undefined);
  parsed.assign(Symbol.for('jsonata.__evaluate_entry') as unknown as string, onEnter);
  parsed.assign(Symbol.for('jsonata.__evaluate_exit') as unknown as string, onLeave);
}

/** `$states` of a state visit: only the members that its fields may see. */
export function statesOf(scope: Scope): Record<string, Json> {
  return {
    input: scope.input,
    context: scope.context,
    ...(scope.result === undefined ? {} : { result: scope.result }),
    ...(scope.errorOutput === undefined ? {} : { errorOutput: scope.errorOutput }),
  };
}

async function evaluateFully(
  parsed: jsonata.Expression,
  references: References,
  scope: Scope,
): Promise<unknown> {
  const bindings: Record<string, unknown> = {
    states: statesOf(scope),
    [BOUNDS]: new Bounds(),
    [functions.NOW]: scope.now,
    [functions.ENTROPY]: scope.entropy ?? functions.systemEntropy,
  };
  for (const name of references.variables) {
    const value = scope.variables.get(name);
    if (value !== undefined) bindings[name] = value;
  }
  return parsed.evaluate(undefined, bindings);
}

/**
 * JSONata evaluates in promises. Evaluations take turns, so that the time bound measures one evaluation and not
 * whatever else was interleaved with it.
 */
let turn: Promise<unknown> = Promise.resolve();
function inTurn<T>(evaluation: () => Promise<T>): Promise<T> {
  const result = turn.then(evaluation);
  turn = result.catch(() => undefined);
  return result;
}
