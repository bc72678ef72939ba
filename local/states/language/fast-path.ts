import type { Node } from './ast.ts';
import { isInherited } from './own-members.ts';
import type { Scope } from './types.ts';

/**
 * Expressions that need none of JSONata's sequence rules, such as `$states.input.a.b`, `$x` or `$n > 5`, compile to
 * plain functions. Whenever a value at hand could make JSONata do more than the obvious (an array in the middle of a
 * path, operands of other types, anything that would be an error), the function answers `BAIL` and JSONata itself
 * evaluates the whole expression: so the result is JSONata's in every case, which the tests assert on random
 * expressions. Functions of the fast path have no effects, so evaluating again is safe.
 */
export const BAIL = Symbol('bail');
export type FastExpression = (scope: Scope) => unknown;

/** Deeper expressions are left to JSONata, which bounds their nesting. */
const MAX_FAST_DEPTH = 20;

/** The fast function of a processed tree, or undefined where some part of it is JSONata's alone. */
export function compileFast(node: Node, depth = 0): FastExpression | undefined {
  if (depth > MAX_FAST_DEPTH) return undefined;
  if (node.predicate || node.stages || node.group || node.keepArray || node.keepSingletonArray || node.tuple)
    return;
  if (node.focus || node.index) return;
  switch (node.type) {
    case 'string':
    case 'number':
    case 'value': {
      const value = node.value;
      return typeof value === 'number' && !Number.isFinite(value) ? undefined : () => value;
    }
    case 'variable':
      return variable(node.value);
    case 'path':
      return path(node.steps ?? []);
    case 'binary':
      return binary(node, depth + 1);
    case 'condition':
      return condition(node, depth + 1);
    case 'block':
      return node.expressions?.length === 1 ? compileFast(node.expressions[0]!, depth + 1) : undefined;
    case 'unary':
      if (node.value === '{') return object(node, depth + 1);
      if (node.value === '[') return array(node, depth + 1);
      return undefined;
    default:
      return undefined;
  }
}

const STATES_MEMBERS = ['input', 'context', 'result', 'errorOutput'] as const;

function variable(name: unknown): FastExpression | undefined {
  if (typeof name !== 'string' || name === '' || name === '$') return undefined;
  if (name === 'states') return undefined;
  // An unassigned name may be a function of JSONata's.
  return (scope) => scope.variables.get(name) ?? (scope.variables.has(name) ? null : BAIL);
}

function path(steps: Node[]): FastExpression | undefined {
  const [first, ...rest] = steps;
  if (first?.type !== 'variable' || !plainSteps([first, ...rest]) || !rest.every(isName)) return undefined;
  const names = rest.map((step) => step.value as string);
  if (names.some(isInherited)) return undefined;
  if (first.value !== 'states') {
    const start = variable(first.value);
    return start && ((scope) => follow(start(scope), names, 0));
  }
  const member = STATES_MEMBERS.find((name) => name === names[0]);
  return member && ((scope) => follow(scope[member], names, 1));
}

const isName = (step: Node): boolean => step.type === 'name' && typeof step.value === 'string';
const plainSteps = (steps: Node[]): boolean =>
  steps.every(
    (step) =>
      !step.stages &&
      !step.predicate &&
      !step.focus &&
      !step.index &&
      !step.tuple &&
      !step.keepArray &&
      !step.group,
  );

function follow(start: unknown, names: readonly string[], from: number): unknown {
  let value = start;
  for (let at = from; at < names.length; at++) {
    if (value === BAIL || Array.isArray(value)) return BAIL;
    if (value === null || typeof value !== 'object') return undefined;
    value = (value as Record<string, unknown>)[names[at]!];
  }
  return value;
}

type Operator = (left: unknown, right: unknown) => unknown;
const scalar = (value: unknown): boolean => value === null || (typeof value !== 'object' && value !== BAIL);
const bothNumbers = (a: unknown, b: unknown): boolean => typeof a === 'number' && typeof b === 'number';
const comparable = (a: unknown, b: unknown): boolean =>
  bothNumbers(a, b) || (typeof a === 'string' && typeof b === 'string');

const arithmetic =
  (compute: (a: number, b: number) => number): Operator =>
  (a, b) => {
    if (!bothNumbers(a, b)) return BAIL;
    const value = compute(a as number, b as number);
    return Number.isFinite(value) ? value : BAIL;
  };
const comparison =
  (compute: (a: number, b: number) => boolean): Operator =>
  (a, b) =>
    comparable(a, b) ? compute(a as number, b as number) : BAIL;
const equality =
  (wanted: boolean): Operator =>
  (a, b) => {
    if (!scalar(a) || !scalar(b)) return BAIL;
    // Nothing equals, nor differs from, what is not there.
    return a === undefined || b === undefined ? false : (a === b) === wanted;
  };

const OPERATORS: Record<string, Operator> = {
  '+': arithmetic((a, b) => a + b),
  '-': arithmetic((a, b) => a - b),
  '*': arithmetic((a, b) => a * b),
  '/': arithmetic((a, b) => a / b),
  '%': arithmetic((a, b) => a % b),
  '<': comparison((a, b) => a < b),
  '<=': comparison((a, b) => a <= b),
  '>': comparison((a, b) => a > b),
  '>=': comparison((a, b) => a >= b),
  '=': equality(true),
  '!=': equality(false),
  '&': (a, b) => (typeof a === 'string' && typeof b === 'string' ? a + b : BAIL),
  and: (a, b) => (typeof a === 'boolean' && typeof b === 'boolean' ? a && b : BAIL),
  or: (a, b) => (typeof a === 'boolean' && typeof b === 'boolean' ? a || b : BAIL),
};

function binary(node: Node, depth: number): FastExpression | undefined {
  const operator = Object.hasOwn(OPERATORS, String(node.value)) ? OPERATORS[String(node.value)] : undefined;
  if (!operator || Array.isArray(node.lhs) || !node.lhs || !node.rhs) return undefined;
  const left = compileFast(node.lhs, depth);
  const right = left && compileFast(node.rhs, depth);
  return right && ((scope) => operator(left(scope), right(scope)));
}

function condition(node: Node, depth: number): FastExpression | undefined {
  const test = node.condition && compileFast(node.condition, depth);
  const yes = node.then && compileFast(node.then, depth);
  const no = node.else ? compileFast(node.else, depth) : () => undefined;
  if (!test || !yes || !no) return undefined;
  return (scope) => {
    const holds = test(scope);
    return typeof holds === 'boolean' ? (holds ? yes(scope) : no(scope)) : BAIL;
  };
}

function object(node: Node, depth: number): FastExpression | undefined {
  if (!Array.isArray(node.lhs)) return undefined;
  const members: { key: string; value: FastExpression }[] = [];
  for (const [key, value] of node.lhs) {
    const compiled = compileFast(value, depth);
    if (key.type !== 'string' || !compiled) return undefined;
    members.push({ key: key.value as string, value: compiled });
  }
  const keys = members.map((member) => member.key);
  if (new Set(keys).size !== keys.length || keys.some(isInherited)) return undefined;
  return (scope) => {
    const result: Record<string, unknown> = {};
    for (const member of members) {
      const value = member.value(scope);
      if (value === BAIL) return BAIL;
      if (value !== undefined) result[member.key] = value;
    }
    return result;
  };
}

function array(node: Node, depth: number): FastExpression | undefined {
  const items: { nested: boolean; value: FastExpression }[] = [];
  for (const item of node.expressions ?? []) {
    const value = compileFast(item, depth);
    if (!value) return undefined;
    items.push({ nested: item.value === '[', value });
  }
  if (node.consarray) return undefined;
  return (scope) => {
    const result: unknown[] = [];
    for (const item of items) {
      const value = item.value(scope);
      if (value === BAIL) return BAIL;
      if (value === undefined) continue;
      // JSONata flattens every array into the constructor but a constructor written inside it.
      if (Array.isArray(value) && !item.nested) result.push(...(value as unknown[]));
      else result.push(value);
    }
    return result;
  };
}
