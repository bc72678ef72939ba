import { below } from './diagnostics.ts';
import type { Fields } from './fields.ts';

/** One way out of a state: where it is written and where it leads. */
export interface Transition {
  pointer: string;
  target: string;
}

/** A state's ways out, collected while it is read. */
export interface Exits {
  transitions: Transition[];
  /** True where the scope may end with this state. */
  terminal: boolean;
}

/**
 * Reports transitions to states that are not there, states that nothing leads to, and a scope without an end.
 * @param scope - the object that holds `StartAt` and `States`
 */
export function checkGraph(
  scope: Fields,
  startAt: string | undefined,
  exits: ReadonlyMap<string, Exits>,
): void {
  const { diagnostics } = scope;
  const known = startAt !== undefined && exits.has(startAt);
  if (startAt !== undefined && !known) {
    diagnostics.add('MISSING_TRANSITION_TARGET', scope.at('StartAt'), `Missing 'StartAt' target: ${startAt}`);
  }
  for (const { transitions } of exits.values()) {
    for (const { pointer, target } of transitions) {
      if (exits.has(target)) continue;
      diagnostics.add('MISSING_TRANSITION_TARGET', pointer, `Missing 'Next' target: ${target}`);
    }
  }
  if (known) {
    const reached = reachable(startAt, exits);
    for (const name of exits.keys()) {
      if (reached.has(name)) continue;
      const pointer = below(scope.at('States'), name);
      diagnostics.add('MISSING_TRANSITION_TARGET', pointer, `State "${name}" is not reachable.`);
    }
  }
  if (exits.size > 0 && ![...exits.values()].some((one) => one.terminal)) {
    diagnostics.add('MISSING_END_STATE', scope.pointer, 'Workflow has no terminal state');
  }
}

function reachable(start: string, exits: ReadonlyMap<string, Exits>): Set<string> {
  const reached = new Set([start]);
  const waiting = [start];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    for (const { target } of exits.get(name)?.transitions ?? []) {
      if (reached.has(target)) continue;
      reached.add(target);
      waiting.push(target);
    }
  }
  return reached;
}
