import { canonicalJson } from '#shared/determinism/hash.ts';
import type { Json } from '#shared/storage/ports.ts';
import { near } from '../builtin/arithmetic.ts';
import type { CallShape } from '../analysis/calls.ts';
import { functionNamed, parametersOf } from '../analysis/functions.ts';
import { jsonOf } from '../analysis/literals.ts';
import type { AstNode } from '../python/ast.ts';
import type { SourceTool } from '../refactor/forms.ts';
import { bindCall, callWithin, type Adapter, type Origin } from '../refactor/mapping.ts';

/**
 * How a code agent's calls were made from the source's, found from the values in both. With one case several readings
 * fit (two arguments of one value); the one under which both agree on changed calls is the witness that they are
 * equivalent.
 */

/** Readings that are tried. */
const MAX_ADAPTERS = 8;
/** Numbers that arguments are multiplied by on their way: shares as per cent and back, signs. */
const FACTORS = [0.01, 100, -1];

/** Arguments of one case, before and after. */
interface ArgumentPair {
  before: ReadonlyMap<string, AstNode>;
  after: ReadonlyMap<string, AstNode>;
}

/**
 * The readings of a tool's mapped calls, the likeliest first; none where its cases call several functions.
 * @param after what each case's mapped call is, by case.
 */
export function readingsOf(
  { entry, ast, cases }: SourceTool,
  after: ReadonlyMap<string, CallShape>,
): Adapter[] {
  const parameters = parametersOf(functionNamed(ast, entry)!);
  const functions = new Set<string>();
  const pairs = cases.flatMap(({ id, shape }): ArgumentPair[] => {
    const mapped = after.get(id);
    if (!mapped) return [];
    functions.add(mapped.entry);
    const bound = bindCall(callWithin(shape.expression, entry)!, parameters);
    return bound ? [{ before: new Map([...bound, ...shape.arguments]), after: mapped.arguments }] : [];
  });
  const [only] = functions;
  return only === undefined || functions.size > 1 ? [] : possibleAdapters(only, pairs);
}

function possibleAdapters(fn: string, pairs: readonly ArgumentPair[]): Adapter[] {
  const [first] = pairs;
  if (!first) return [];
  const names = [...first.after.keys()];
  // One function with other arguments from case to case has no one reading.
  if (pairs.some(({ after }) => after.size !== names.length || names.some((name) => !after.has(name))))
    return [];
  let readings: Adapter['arguments'][] = [[]];
  for (const name of names) {
    const origins = originsOf(name, pairs);
    if (origins.length === 0) return [];
    readings = readings.flatMap((reading) => origins.map((from) => [...reading, { name, from }]));
    readings = best(readings);
  }
  return readings.map((reading) => ({ function: fn, arguments: reading }));
}

/** Readings that use most of the source's parameters, each once, first. */
function best(readings: Adapter['arguments'][]): Adapter['arguments'][] {
  const used = (reading: Adapter['arguments']): number =>
    new Set(reading.flatMap(({ from }) => ('parameter' in from ? [from.parameter] : []))).size;
  return readings
    .map((reading, index) => ({ reading, index, score: used(reading) }))
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, MAX_ADAPTERS)
    .map(({ reading }) => reading);
}

function originsOf(name: string, pairs: readonly ArgumentPair[]): Origin[] {
  const literals = pairs.map(({ after }) => after.get(name)!);
  const values = literals.map(jsonOf);
  if (values.includes(undefined)) return [];
  const parameters = [...pairs[0]!.before.keys()];
  const fits = (make: (value: Json) => Json | undefined, parameter: string): boolean =>
    pairs.every(({ before }, n) => {
      const node = before.get(parameter);
      const value = node && jsonOf(node);
      const made = value === undefined ? undefined : make(value);
      return made !== undefined && same(made, values[n]!);
    });
  const direct = parameters.filter((parameter) => fits((value) => value, parameter));
  const scaled = parameters.flatMap((parameter) =>
    FACTORS.filter((times) =>
      fits((value) => (typeof value === 'number' && value !== 0 ? value * times : undefined), parameter),
    ).map((times): Origin => ({ parameter, times })),
  );
  const constant = values.every((value) => same(value!, values[0]!)) ? [{ literal: literals[0]! }] : [];
  return [...direct.map((parameter): Origin => ({ parameter })), ...scaled, ...constant];
}

const same = (a: Json, b: Json): boolean =>
  typeof a === 'number' && typeof b === 'number' ? near(a, b) : canonicalJson(a) === canonicalJson(b);
