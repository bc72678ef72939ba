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

/** Expressions hold no state of their own, so equal texts share one; the oldest go when there are too many. */
const cache = new Map<string, ParsedExpression>();
const MAX_CACHED = 10_000;

/** Parses a text that carries both marks. Never throws. */
export function parseExpression(marked: string): ParsedExpression {
  const text = marked.slice(OPEN.length, -CLOSE.length).trim();
  const known = cache.get(text);
  if (known) return known;
  const parsed = parse(text);
  if (cache.size >= MAX_CACHED) cache.delete(cache.keys().next().value!);
  cache.set(text, parsed);
  return parsed;
}

function parse(text: string): ParsedExpression {
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
  let prepared = false;
  return {
    ok: true,
    expression: {
      text,
      references,
      ...(fast === undefined ? {} : { fast }),
      run(scope) {
        if (!prepared) prepare(parsed, tree, references);
        prepared = true;
        return inTurn(() => evaluateFully(parsed, references, scope));
      },
    },
  };
}

/** What the service adds to JSONata or replaces: name, implementation, JSONata signature. */
const ADDED: [string, (...parts: never[]) => unknown, string][] = [
  ['partition', functions.partition, '<an?:a>'],
  ['range', functions.range, '<n?n?n?:a>'],
  ['hash', functions.hash, '<s?s?:s>'],
  ['random', functions.random, '<n?:n>'],
  ['uuid', functions.uuid, '<:s>'],
  ['parse', functions.parse, '<s?:x>'],
  ['now', functions.now, '<s?s?:s>'],
  ['millis', functions.millis, '<:n>'],
  ['lookup', ownMember, '<x-s:x>'],
];

/** Makes an expression ready for JSONata: done before its first evaluation, since many never need it. */
function prepare(parsed: jsonata.Expression, tree: Node, { names }: References): void {
  guardMembers(tree);
  for (const [name, implementation, signature] of ADDED) {
    if (names.has(name)) parsed.registerFunction(name, implementation as () => unknown, signature);
  }
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
  let data: Record<string, unknown> = { states: statesOf(scope) };
  for (const name of references.names) {
    const value = scope.variables.get(name);
    if (value !== undefined) data[name] = value;
  }
  // JSONata notes the name and place of a call on what is called. Where that may be data, it is given a copy.
  if (references.callsData || [...references.called].some((name) => Object.hasOwn(data, name)))
    data = structuredClone(data);
  const bindings: Record<string, unknown> = {
    ...data,
    [BOUNDS]: new Bounds(),
    [functions.NOW]: scope.now,
    [functions.ENTROPY]: scope.entropy ?? functions.systemEntropy,
  };
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
