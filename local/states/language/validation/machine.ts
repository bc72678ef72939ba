import type { Json } from '#shared/storage/ports.ts';
import { hashOf } from '#shared/determinism/hash.ts';
import { MAX_NAME_CHARACTERS, MAX_SECONDS } from '../limits.ts';
import type { Machine, State, States } from '../types.ts';
import { StateContext } from './context.ts';
import { below, type Diagnostics } from './diagnostics.ts';
import { Fields, isObject } from './fields.ts';
import { checkGraph, type Exits } from './graph.ts';
import { VariableScope } from './scope.ts';
import { defined, readState } from './states.ts';

interface Nesting {
  parent: VariableScope;
  owner: string;
  /** False for a Distributed Map's children. */
  seesParent: boolean;
  express: boolean;
}

/** Reads a nested `States` object: a branch or an item processor. */
export type ReadStates = (fields: Fields, nesting: Nesting) => States;

/** Reads a whole definition and reports every problem; the machine is right only where none was reported. */
export function readMachine(definition: { [key: string]: Json }, diagnostics: Diagnostics): Machine {
  const fields = new Fields(definition, '', diagnostics);
  fields.only(['Comment', 'QueryLanguage', 'StartAt', 'States', 'TimeoutSeconds', 'Version']);
  const comment = fields.text('Comment');
  fields.choice('Version', ['1.0']);
  const language = fields.choice('QueryLanguage', ['JSONata', 'JSONPath']) ?? 'JSONPath';
  const scopes: VariableScope[] = [];

  const readStates = (one: Fields, nesting?: Nesting): States => {
    const scope = new VariableScope(
      nesting && { scope: nesting.parent, owner: nesting.owner, seesParent: nesting.seesParent },
    );
    scopes.push(scope);
    const startAt = one.text('StartAt', { required: true });
    const list = one.child('States', { required: true });
    const exits = new Map<string, Exits>();
    const states = new Map<string, State>();
    if (list && Object.keys(list.object).length === 0)
      one.refuse('States', "Field 'States' must not be empty");
    for (const [name, value] of Object.entries(list?.object ?? {})) {
      const exit: Exits = { transitions: [], terminal: false };
      exits.set(name, exit);
      const state = readOne(name, value, exit, { list: list!, scope, express: nesting?.express ?? false });
      if (state) states.set(name, state);
    }
    if (list) checkGraph(one, startAt, exits);
    return { startAt: startAt ?? '', states };
  };

  const readOne = (
    name: string,
    value: Json,
    exits: Exits,
    place: { list: Fields; scope: VariableScope; express: boolean },
  ): State | undefined => {
    const pointer = below(place.list.pointer, name);
    const length = [...name].length;
    if (length === 0 || length > MAX_NAME_CHARACTERS) {
      diagnostics.schema(
        pointer,
        `A state's name must have 1 to ${MAX_NAME_CHARACTERS} characters, but has ${length}`,
      );
    }
    if (!isObject(value)) {
      exits.terminal = true;
      diagnostics.schema(pointer, 'A state must be an object');
      return undefined;
    }
    const own = new Fields(value, pointer, diagnostics);
    checkLanguage(own, language);
    const context = new StateContext(diagnostics, place.scope, name);
    return readState({ name, fields: own, context, exits, express: place.express, readStates });
  };

  const states = readStates(fields);
  const machineContext = new StateContext(diagnostics, scopes[0]!, '');
  const timeoutSeconds = machineContext.number(fields, 'TimeoutSeconds', {
    min: 1,
    max: MAX_SECONDS,
    integer: true,
  });
  for (const scope of scopes) scope.check(diagnostics);
  return { ...states, ...defined({ comment, timeoutSeconds }), sha256: hashOf(definition), definition };
}

/** A state's language is its own, else the machine's; never that of a Map or Parallel around it. */
function checkLanguage(state: Fields, machine: 'JSONata' | 'JSONPath'): void {
  const own = state.choice('QueryLanguage', ['JSONata', 'JSONPath']);
  if (own === 'JSONPath' && machine === 'JSONata') {
    state.refuse(
      'QueryLanguage',
      "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine",
    );
  } else if (own === 'JSONPath' || (!state.has('QueryLanguage') && machine === 'JSONPath')) {
    const message = "The query language JSONPath is not supported: set 'QueryLanguage' to 'JSONata'";
    state.diagnostics.schema(own ? state.at('QueryLanguage') : state.pointer, message);
  }
}
