import type { Json } from '#shared/storage/ports.ts';
import {
  compile,
  type Diagnostic,
  type Scope,
  type State,
  type Template,
} from '#local/states/language/index.ts';

/** The notation of the specification's acceptance checks, and scopes to evaluate in. */

export type Definition = { [key: string]: Json };

/** A machine of these states, the first of them first. */
export const machine = (states: Definition, more: Definition = {}): Definition => ({
  QueryLanguage: 'JSONata',
  StartAt: Object.keys(states)[0] ?? '',
  States: states,
  ...more,
});

/** `P(x)`: a machine of one Pass state `S` with Output x. */
export const P = (output: Json): Definition => machine({ S: { Type: 'Pass', Output: output, End: true } });

/** `T{…}`: a machine of one Task `S` that invokes `f`, with these fields. */
export const T = (fields: Definition): Definition =>
  machine({
    S: {
      Type: 'Task',
      Resource: 'arn:aws:states:::lambda:invoke',
      Arguments: { FunctionName: 'f' },
      End: true,
      ...fields,
    },
  });

/** A Map state around these inner states. */
export const map = (states: Definition, fields: Definition = {}, config?: Definition): Definition => ({
  Type: 'Map',
  ItemProcessor: {
    ...(config ? { ProcessorConfig: config } : {}),
    StartAt: Object.keys(states)[0] ?? '',
    States: states,
  },
  End: true,
  ...fields,
});

export const DISTRIBUTED = { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' };

/** What validation found, as `CODE location`, in order. */
export const problems = (definition: unknown): string[] =>
  compile(definition).diagnostics.map(({ code, location }) => `${code} ${location}`);

export const diagnostics = (definition: unknown): Diagnostic[] => compile(definition).diagnostics;

/** One compiled state of a definition that must be valid. */
export function stateOf<T extends State['type']>(
  definition: Definition,
  name = 'S',
): Extract<State, { type: T }> {
  const { machine: compiled, diagnostics: found } = compile(definition);
  if (!compiled) throw new Error(`The definition is refused: ${JSON.stringify(found)}`);
  return compiled.states.get(name) as Extract<State, { type: T }>;
}

/** The compiled Output of `P(output)`. */
export const outputOf = (output: Json): Template => stateOf<'Pass'>(P(output)).output!;

export function scope(input: Json = {}, more: Partial<Scope> & { vars?: Record<string, Json> } = {}): Scope {
  const { vars = {}, ...rest } = more;
  return {
    stateName: 'S',
    enteredEventId: 2,
    input,
    context: { Execution: { Name: 'e1' } },
    variables: new Map(Object.entries(vars)),
    now: Date.UTC(2030, 0, 31, 9, 30),
    ...rest,
  };
}
