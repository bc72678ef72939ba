import type { Json } from '#shared/storage/ports.ts';
import type { Machine, States } from '../language/index.ts';
import { executionArn, ROLE_ARN } from './arns.ts';
import { endExecution } from './ending.ts';
import { TIMEOUT } from './failure.ts';
import { makeFrame } from './frames.ts';
import type { Kernel } from './kernel.ts';
import type { Execution } from './model.ts';
import type { Payload } from './payload.ts';

export interface Start {
  /** Name of the machine, or `<machine>/<label>`. */
  machine: string;
  name: string;
  sha256: string;
  definition: Machine;
  states: States;
  input: Payload;
  express?: boolean;
  parent?: Execution['parent'];
  notify?: string;
  timeoutSeconds?: number;
}

/** Makes an execution and its first frame; both are written with the turn. */
export function startExecution(kernel: Kernel, start: Start): Execution {
  const now = kernel.now();
  const execution: Execution = {
    id: kernel.executionId(),
    arn: executionArn(start.machine, start.name),
    name: start.name,
    machine: start.machine,
    sha256: start.sha256,
    states: start.states,
    definition: start.definition,
    express: start.express ?? false,
    input: start.input,
    ...(start.parent ? { parent: start.parent } : {}),
    ...(start.notify === undefined ? {} : { notify: start.notify }),
    status: 'RUNNING',
    started: now,
    redrives: 0,
    nextEvent: 1,
    variableBytes: 0,
    ...(start.timeoutSeconds === undefined ? {} : { deadline: now + start.timeoutSeconds * 1000 }),
    ready: [],
    queued: false,
    stored: false,
    dirty: false,
  };
  kernel.executions.set(execution.arn, execution);
  armDeadline(kernel, execution);
  kernel.append(execution, 'ExecutionStarted', 0, [
    'executionStartedEventDetails',
    { input: start.input.text, inputDetails: { truncated: false }, roleArn: ROLE_ARN },
  ]);
  execution.root = makeFrame({ execution, states: start.states, input: start.input, lastEvent: 0 });
  kernel.makeReady(execution.root);
  return execution;
}

/** Times the execution out at its deadline. */
export function armDeadline(kernel: Kernel, execution: Execution): void {
  if (execution.deadline === undefined) return;
  execution.timer = kernel.timer(execution.deadline, () =>
    endExecution(kernel, execution, { status: 'TIMED_OUT', error: TIMEOUT }),
  );
}

/** `TimeoutSeconds` of a machine: a literal, since expressions are refused at the top. */
export function machineTimeout(machine: Machine): { timeoutSeconds?: number } {
  const value: Json | undefined = machine.timeoutSeconds?.source;
  return typeof value === 'number' ? { timeoutSeconds: value } : {};
}
