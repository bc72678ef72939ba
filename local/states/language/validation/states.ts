import { MAX_SECONDS } from '../limits.ts';
import type {
  ChoiceState,
  FailState,
  ParallelState,
  State,
  TaskState,
  Template,
  WaitState,
} from '../types.ts';
import type { StateContext, StatesMember } from './context.ts';
import { catchers, retriers, userErrorProblem } from './errors.ts';
import type { Fields } from './fields.ts';
import type { Exits } from './graph.ts';
import { mapState } from './map.ts';
import type { ReadStates } from './machine.ts';
import { taskResource } from './resources.ts';
import { timestampProblem } from './timestamp.ts';

/** What reading one state needs besides its fields. */
export interface StateReader {
  name: string;
  fields: Fields;
  context: StateContext;
  exits: Exits;
  /** True within the children of an EXPRESS Distributed Map. */
  express: boolean;
  readStates: ReadStates;
}

const COMMON = ['Type', 'Comment', 'QueryLanguage'];
const OUTPUT = ['Output', 'Assign'];
const TRANSITION = ['Next', 'End'];
const ERRORS = ['Retry', 'Catch'];
const RESULT: readonly StatesMember[] = ['result'];

type Read<T extends State> = (reader: StateReader) => Omit<T, 'name' | 'comment'>;

const READERS: { [T in State['type']]: { fields: string[]; read: Read<Extract<State, { type: T }>> } } = {
  Task: {
    fields: [
      ...OUTPUT,
      ...TRANSITION,
      ...ERRORS,
      'Resource',
      'Arguments',
      'TimeoutSeconds',
      'HeartbeatSeconds',
    ],
    read: task,
  },
  Pass: {
    fields: [...OUTPUT, ...TRANSITION],
    read: (reader) => ({ type: 'Pass', ...outputs(reader), ...transition(reader) }),
  },
  Choice: { fields: [...OUTPUT, 'Choices', 'Default'], read: choice },
  Wait: { fields: [...OUTPUT, ...TRANSITION, 'Seconds', 'Timestamp'], read: wait },
  Succeed: {
    fields: ['Output'],
    read: (reader) => {
      reader.exits.terminal = true;
      return { type: 'Succeed', ...defined({ output: reader.context.template(reader.fields, 'Output') }) };
    },
  },
  Fail: { fields: ['Error', 'Cause'], read: fail },
  Parallel: { fields: [...OUTPUT, ...TRANSITION, ...ERRORS, 'Branches', 'Arguments'], read: parallel },
  Map: {
    fields: [
      ...OUTPUT,
      ...TRANSITION,
      ...ERRORS,
      'Items',
      'ItemReader',
      'ItemSelector',
      'ItemBatcher',
      'ItemProcessor',
      'ResultWriter',
      'Label',
      'MaxConcurrency',
      'ToleratedFailureCount',
      'ToleratedFailurePercentage',
    ],
    read: (reader) => mapState(reader, afterResult(reader)),
  },
};

/** Reads one state; undefined where its type is unknown. Problems are reported either way. */
export function readState(reader: StateReader): State | undefined {
  const { fields, name } = reader;
  const type = fields.text('Type', { required: true });
  if (type === undefined || !Object.hasOwn(READERS, type)) {
    if (type !== undefined) fields.refuse('Type', `The state type '${type}' is not supported`);
    reader.exits.terminal = true;
    return undefined;
  }
  const { fields: own, read } = READERS[type as State['type']];
  fields.only([...COMMON, ...own]);
  const comment = fields.text('Comment');
  const state = (read as Read<State>)(reader);
  return { name, ...defined({ comment }), ...state } as State;
}

/** Leaves out what is undefined, as exact optional properties require. */
export function defined<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function outputs({ fields, context }: StateReader, members?: readonly StatesMember[]) {
  const options = members ? { members } : {};
  return defined({
    assign: context.assign(fields, options),
    output: context.template(fields, 'Output', options),
  });
}

function transition({ fields, exits }: StateReader): { next?: string } {
  const end = fields.get('End');
  if (end !== undefined && typeof end !== 'boolean') fields.refuse('End', "Field 'End' must be a boolean");
  const next = fields.text('Next');
  const ends = end === true;
  if (ends) exits.terminal = true;
  if (next !== undefined) exits.transitions.push({ pointer: fields.at('Next'), target: next });
  if (ends === fields.has('Next')) {
    const found = ends ? 'both were given' : 'neither was given';
    fields.diagnostics.schema(fields.pointer, `Exactly one of 'Next' and 'End' is required, but ${found}`);
  }
  return ends || next === undefined ? {} : { next };
}

/** The fields that Task, Parallel and Map share: they run after the state's work. */
function afterResult(reader: StateReader) {
  const { fields, context, exits } = reader;
  const caught = catchers(fields, context);
  fields.children('Catch').forEach((one) => {
    const target = one.get('Next');
    if (typeof target === 'string') exits.transitions.push({ pointer: one.at('Next'), target });
  });
  return { ...outputs(reader, RESULT), ...transition(reader), retry: retriers(fields), catch: caught };
}

const SECONDS = { min: 1, max: MAX_SECONDS, integer: true };

function task(reader: StateReader): Omit<TaskState, 'name'> {
  const { fields, context, express } = reader;
  const resource = taskResource(fields, express);
  const timeoutSeconds = context.number(fields, 'TimeoutSeconds', SECONDS);
  const heartbeatSeconds = context.number(fields, 'HeartbeatSeconds', SECONDS);
  const [timeout, heartbeat] = [fields.get('TimeoutSeconds'), fields.get('HeartbeatSeconds')];
  if (typeof timeout === 'number' && typeof heartbeat === 'number' && heartbeat >= timeout) {
    fields.refuse('HeartbeatSeconds', "Field 'HeartbeatSeconds' must be smaller than 'TimeoutSeconds'");
  }
  return {
    type: 'Task',
    resource: resource ?? { arn: '', service: '', action: '', pattern: 'request' },
    ...defined({ arguments: context.template(fields, 'Arguments'), timeoutSeconds, heartbeatSeconds }),
    ...afterResult(reader),
  };
}

function choice(reader: StateReader): Omit<ChoiceState, 'name'> {
  const { fields, context, exits } = reader;
  const rules = fields.children('Choices', { required: true, nonEmpty: true });
  const choices = rules.map((rule, index) => {
    rule.only(['Condition', 'Next', 'Assign', 'Output', 'Comment']);
    rule.text('Comment');
    const prefix = `Choices[${index}]/`;
    const next = rule.text('Next', { required: true });
    if (next !== undefined) exits.transitions.push({ pointer: rule.at('Next'), target: next });
    return {
      condition: condition(rule, context, prefix),
      next: next ?? '',
      ...defined({
        assign: context.assign(rule, { prefix }),
        output: context.template(rule, 'Output', { prefix }),
      }),
    };
  });
  const fallback = fields.text('Default');
  if (fallback !== undefined) exits.transitions.push({ pointer: fields.at('Default'), target: fallback });
  return { type: 'Choice', choices, ...defined({ default: fallback }), ...outputs(reader) };
}

function condition(rule: Fields, context: StateContext, prefix: string): Template {
  const value = rule.get('Condition');
  const template = context.template(rule, 'Condition', { prefix });
  if (value === undefined) rule.missing('Condition');
  else if (template?.constant && typeof value !== 'boolean') {
    rule.refuse('Condition', "Field 'Condition' must be a JSONata expression or a boolean");
  }
  return template ?? { field: `${prefix}Condition`, source: false, constant: true };
}

function wait(reader: StateReader): Omit<WaitState, 'name'> {
  const { fields, context } = reader;
  const both = fields.has('Seconds') && fields.has('Timestamp');
  if (both || (!fields.has('Seconds') && !fields.has('Timestamp'))) {
    const found = both ? 'both were given' : 'neither was given';
    fields.diagnostics.schema(
      fields.pointer,
      `Exactly one of 'Seconds' and 'Timestamp' is required, but ${found}`,
    );
  }
  return {
    type: 'Wait',
    ...defined({
      seconds: context.number(fields, 'Seconds', { min: 0, max: MAX_SECONDS, integer: true }),
      timestamp: context.text(fields, 'Timestamp', timestampProblem),
    }),
    ...outputs(reader),
    ...transition(reader),
  };
}

function fail({ fields, context, exits }: StateReader): Omit<FailState, 'name'> {
  exits.terminal = true;
  return {
    type: 'Fail',
    ...defined({
      error: context.text(fields, 'Error', userErrorProblem),
      causeText: context.text(fields, 'Cause'),
    }),
  };
}

function parallel(reader: StateReader): Omit<ParallelState, 'name'> {
  const { fields, context, name, express, readStates } = reader;
  const branches = fields.children('Branches', { required: true, nonEmpty: true });
  return {
    type: 'Parallel',
    ...defined({ arguments: context.template(fields, 'Arguments') }),
    branches: branches.map((branch) => {
      branch.only(['StartAt', 'States', 'Comment']);
      branch.text('Comment');
      return readStates(branch, { parent: context.scope, owner: name, seesParent: true, express });
    }),
    ...afterResult(reader),
  };
}
