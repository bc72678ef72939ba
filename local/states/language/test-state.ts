import { compile, type Compilation } from './compile.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { State } from './types.ts';
import { isObject } from './validation/fields.ts';

/** Name of a state that is given alone, as `$states.context.State.Name` shows it. */
export const LONE_STATE_NAME = 'StateName';

/** A refusal of the TestState API: its error code and message, word for word (recorded behaviour). */
export interface TestStateRefusal {
  code: 'InvalidDefinition' | 'ValidationException';
  message: string;
}

/**
 * Compiles one state given alone, as TestState takes it: its targets need not exist.
 * Locations are pointers into the state.
 */
export function compileState(definition: unknown): Omit<Compilation, 'machine'> & { state?: State } {
  const language = isObject(definition as Json)
    ? (definition as { QueryLanguage?: unknown }).QueryLanguage
    : undefined;
  const prefix = `/States/${LONE_STATE_NAME}`;
  const targets = targetsOf(definition);
  const machine = {
    ...(language === undefined ? {} : { QueryLanguage: language }),
    StartAt: LONE_STATE_NAME,
    States: {
      ...Object.fromEntries(targets.map((name) => [name, { Type: 'Succeed', QueryLanguage: 'JSONata' }])),
      [LONE_STATE_NAME]: definition,
    },
  };
  const compiled = compile(machine);
  const diagnostics = compiled.diagnostics
    .filter(({ code, location }) => location.startsWith(prefix) || code === 'MISSING_END_STATE')
    .map((one) => ({ ...one, location: one.location.slice(prefix.length) }));
  const state = compiled.machine?.states.get(LONE_STATE_NAME);
  return { result: state ? 'OK' : 'FAIL', diagnostics, ...(state ? { state } : {}) };
}

/** The states a lone state may lead to. */
function targetsOf(definition: unknown): string[] {
  if (!isObject(definition as Json)) return [];
  const { Next, Default, Choices, Catch } = definition as Record<string, unknown>;
  const nested = [Choices, Catch].flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []));
  const names = [Next, Default, ...nested.map((one) => (one as { Next?: unknown } | null)?.Next)];
  return [
    ...new Set(names.filter((name) => typeof name === 'string' && name !== LONE_STATE_NAME)),
  ] as string[];
}

/**
 * What TestState refuses about a state and its mock, before running it: Map and Parallel need a mock, and the mocked
 * result of a Map without a ResultWriter must be an array.
 * @param mock - as the API takes it: `result` is JSON text
 */
export function refuseTestState(
  state: unknown,
  mock?: { result?: string; errorOutput?: unknown },
): TestStateRefusal | undefined {
  const { Type: type, ResultWriter: writer } = (state ?? {}) as { Type?: unknown; ResultWriter?: unknown };
  if (type !== 'Map' && type !== 'Parallel') return undefined;
  if (!mock) {
    const types = 'Task, Wait, Pass, Succeed, Fail, Choice';
    const message = `TestState API does not support Map or Parallel states. Supported state types include: [${types}]`;
    return { code: 'InvalidDefinition', message };
  }
  if (type === 'Map' && writer === undefined && mock.result !== undefined && !isJsonArray(mock.result)) {
    return { code: 'ValidationException', message: 'Mocked result must be an array.' };
  }
  return undefined;
}

function isJsonArray(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}
