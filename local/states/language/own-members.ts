import type { Node } from './ast.ts';

/**
 * JSONata reads members with `object[name]`, so `$states.input.constructor` would reach JavaScript's prototypes. In
 * the service such a member is simply absent. Names that `Object.prototype` has are therefore read by a function of
 * ours that looks at own members only; every other name keeps JSONata's own step.
 */
const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype));

/** Name of the function bound for the rewritten steps; no expression can spell it. */
export const OWN_MEMBER = ' own member';

/** The value of an own member, mapped over arrays as a JSONata step is; undefined where there is none. */
export function ownMember(input: unknown, name: string): unknown {
  if (Array.isArray(input)) {
    const found: unknown[] = [];
    for (const element of input) {
      const value = ownMember(element, name);
      if (Array.isArray(value)) found.push(...(value as unknown[]));
      else if (value !== undefined) found.push(value);
    }
    return found.length === 0 ? undefined : found.length === 1 ? found[0] : found;
  }
  if (input === null || typeof input !== 'object' || !Object.hasOwn(input, name)) return undefined;
  return (input as Record<string, unknown>)[name];
}

/** True for a member name that every JavaScript object inherits. */
export const isInherited = (name: string): boolean => INHERITED.has(name);

/** Replaces, in place, every step that names an inherited member. Call it once on a fresh syntax tree. */
export function guardMembers(node: unknown, seen = new Set<object>()): void {
  if (node === null || typeof node !== 'object' || seen.has(node)) return;
  seen.add(node);
  if (Array.isArray(node)) {
    for (const child of node) guardMembers(child, seen);
    return;
  }
  const step = node as Node;
  if (step.type === 'name' && typeof step.value === 'string' && INHERITED.has(step.value)) {
    const name = step.value;
    step.type = 'function';
    step.value = '(';
    step.procedure = { type: 'variable', value: OWN_MEMBER };
    step.arguments = [{ type: 'string', value: name }];
    return;
  }
  for (const key of Object.keys(step)) guardMembers((step as unknown as Record<string, unknown>)[key], seen);
}
