import { isoTime } from '#shared/determinism/clock.ts';
import type { Json } from '#shared/storage/ports.ts';
import { executionArn, machineArn, machineNameOf } from './arns.ts';
import { TASK_FAILED } from './failure.ts';
import type { Kernel } from './kernel.ts';
import type { Execution, Task } from './model.ts';
import { guarded } from './outcome.ts';
import { payload, type Payload } from './payload.ts';
import { sdkMetadata } from './sdk-metadata.ts';
import { machineTimeout, startExecution } from './start.ts';
import { submitted, taskFailed, taskSucceeded } from './tasks.ts';

/** `states:startExecution` and `.sync:2`: the engine starts the execution itself, in the turn of the task. */

const NAME = /^[^\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]{1,80}$/u;

/** @returns what is wrong with an execution's name, undefined where nothing is */
export function nameProblem(name: string): string | undefined {
  return NAME.test(name)
    ? undefined
    : `The execution name ${JSON.stringify(name)} must have 1 to 80 characters and none of: white space, brackets, ? * " # % \\ ^ | ~ \` $ & , ; : / or control characters.`;
}

export async function startNested(kernel: Kernel, task: Task): Promise<void> {
  const args = task.parameters.value as { [key: string]: Json };
  const machine = machineNameOf(String(args['StateMachineArn']));
  const known = kernel.outside.machineNamed(machine);
  if (!known) {
    const cause = `State Machine Does Not Exist: '${machineArn(machine)}' (Service: AWSStepFunctions; Status Code: 400; Error Code: StateMachineDoesNotExist)`;
    await taskFailed(kernel, task, { error: 'StepFunctions.StateMachineDoesNotExistException', cause });
    return;
  }
  const name = args['Name'] === undefined ? kernel.uuid() : String(args['Name']);
  const problem = nameProblem(name);
  if (problem !== undefined) {
    await taskFailed(kernel, task, { error: 'StepFunctions.InvalidNameException', cause: problem });
    return;
  }
  const arn = executionArn(machine, name);
  if (kernel.isUsed(arn)) {
    const cause = `Execution Already Exists: '${arn}' (Service: AWSStepFunctions; Status Code: 400; Error Code: ExecutionAlreadyExists)`;
    await taskFailed(kernel, task, { error: 'StepFunctions.ExecutionAlreadyExistsException', cause });
    return;
  }
  const execution = startExecution(kernel, {
    machine,
    name,
    sha256: known.sha256,
    definition: known.machine,
    states: known.machine,
    input: payload(args['Input'] ?? {}),
    ...(task.resource.pattern === 'sync' ? { notify: task.token } : {}),
    ...machineTimeout(known.machine),
  });
  const body: { [key: string]: Json } = { ExecutionArn: arn, StartDate: isoTime(execution.started) };
  const result = payload({ ...body, ...sdkMetadata(kernel.uuid(), JSON.stringify(body)) });
  if (task.resource.pattern === 'sync') {
    task.nested = execution;
    submitted(kernel, task, result);
  } else {
    await taskSucceeded(kernel, task, result);
  }
}

/** The execution that a `.sync:2` task waits for has ended. */
export function nestedEnded(kernel: Kernel, execution: Execution): void {
  const task = kernel.tasks.get(execution.notify ?? '');
  if (task) kernel.work.push(() => settleNested(kernel, task, execution));
}

export function settleNested(kernel: Kernel, task: Task, child: NestedEnd): Promise<void> {
  return guarded(kernel, task.frame, async () => {
    if (task.status === 'closed') return;
    const description = describe(child);
    if (child.status === 'SUCCEEDED') await taskSucceeded(kernel, task, payload(description));
    else await taskFailed(kernel, task, { error: TASK_FAILED, cause: JSON.stringify(description) });
  });
}

export type NestedEnd = Pick<Execution, 'arn' | 'name' | 'machine' | 'status' | 'started'> & {
  input: Payload;
  output?: Payload;
  error?: string;
  cause?: string;
  stopped?: number;
};

/** The execution's description as `.sync:2` gives it: input and output parsed, dates in milliseconds. */
function describe(child: NestedEnd): Json {
  return {
    ...(child.cause === undefined ? {} : { Cause: child.cause }),
    ...(child.error === undefined ? {} : { Error: child.error }),
    ExecutionArn: child.arn,
    Input: child.input.value,
    InputDetails: { Included: true },
    Name: child.name,
    ...(child.output ? { Output: child.output.value, OutputDetails: { Included: true } } : {}),
    StartDate: child.started,
    StateMachineArn: machineArn(child.machine),
    Status: child.status,
    StopDate: child.stopped ?? child.started,
  };
}
