import type { Json } from '#shared/storage/ports.ts';
import { evaluate, evaluateAs, EvaluationFailure, resultTypes, type TaskState } from '../language/index.ts';
import { REGION } from './arns.ts';
import { scopeOf } from './context.ts';
import { endExecution } from './ending.ts';
import { HEARTBEAT_TIMEOUT, StateFailed, TIMEOUT, type Failure } from './failure.ts';
import { stateOf } from './frames.ts';
import { clipCause, MAX_RUNNING_TASKS, type Kernel } from './kernel.ts';
import type { Frame, Task } from './model.ts';
import { startNested } from './nested.ts';
import { failState, guarded, leave } from './outcome.ts';
import { limited, payload, type Payload } from './payload.ts';

/** A task without TimeoutSeconds gets the service's default, some three years. */
const DEFAULT_TIMEOUT_SECONDS = 99_999_999;

/** Evaluates a Task's fields, writes its Scheduled event and lets it run when a slot is free. */
export async function startTask(kernel: Kernel, frame: Frame, state: TaskState): Promise<void> {
  const { resource } = state;
  const token = kernel.token();
  const scope = scopeOf(kernel, frame, resource.pattern === 'token' ? { token } : {});
  const parameters = state.arguments ? payload(await evaluate(state.arguments, scope)) : frame.input;
  const timeoutSeconds =
    state.timeoutSeconds && (await evaluateAs(resultTypes.timeoutSeconds, state.timeoutSeconds, scope));
  const heartbeatSeconds =
    state.heartbeatSeconds && (await evaluateAs(resultTypes.heartbeatSeconds, state.heartbeatSeconds, scope));
  if (heartbeatSeconds !== undefined && heartbeatSeconds >= (timeoutSeconds ?? Number.POSITIVE_INFINITY)) {
    const cause = `An error occurred while executing the state '${frame.state}' (entered at the event id #${frame.enteredEvent}). HeartbeatSeconds (${heartbeatSeconds}) must be smaller than TimeoutSeconds (${timeoutSeconds}).`;
    throw new EvaluationFailure('States.QueryEvaluationError', cause, 'HeartbeatSeconds');
  }
  limited(parameters, frame.state, 'input');
  if (resource.service === 'function') {
    kernel.emit(frame, 'LambdaFunctionScheduled', [
      'lambdaFunctionScheduledEventDetails',
      {
        resource: resource.arn,
        input: parameters.text,
        inputDetails: { truncated: false },
        timeoutInSeconds: timeoutSeconds,
      },
    ]);
  } else {
    kernel.emit(frame, 'TaskScheduled', [
      'taskScheduledEventDetails',
      {
        ...named(resource),
        region: REGION,
        parameters: parameters.text,
        timeoutInSeconds: timeoutSeconds,
        heartbeatInSeconds: heartbeatSeconds,
      },
    ]);
  }
  const task: Task = {
    token,
    execution: frame.execution,
    frame,
    resource,
    parameters,
    timeoutSeconds,
    heartbeatSeconds,
    status: 'scheduled',
    stored: false,
    dirty: false,
  };
  frame.task = task;
  frame.phase = 'task';
  kernel.touch(frame);
  kernel.touchTask(task);
  kernel.tasks.set(token, task);
  await admit(kernel, task);
}

/** `resourceType` and `resource` of a task's events: `lambda` and `invoke.waitForTaskToken`. */
function named(resource: Task['resource']): { resourceType: string; resource: string } {
  const suffix =
    resource.pattern === 'token' ? '.waitForTaskToken' : resource.pattern === 'sync' ? '.sync:2' : '';
  return { resourceType: resource.service, resource: `${resource.action}${suffix}` };
}

const isNested = (task: Task): boolean => task.resource.service === 'states';

/** Starts a task when fewer than 256 run, else lets it wait its turn. */
export async function admit(kernel: Kernel, task: Task): Promise<void> {
  if (isNested(task)) {
    begin(kernel, task);
    await startNested(kernel, task);
  } else if (kernel.runningTasks < MAX_RUNNING_TASKS) {
    kernel.runningTasks++;
    begin(kernel, task);
    run(kernel, task);
  } else {
    kernel.waitingTasks.push(task);
  }
}

function begin(kernel: Kernel, task: Task): void {
  if (task.resource.service === 'function') kernel.emit(task.frame, 'LambdaFunctionStarted');
  else kernel.emit(task.frame, 'TaskStarted', ['taskStartedEventDetails', named(task.resource)]);
  task.status = 'started';
  const now = kernel.now();
  task.deadline = now + (task.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1000;
  if (task.heartbeatSeconds !== undefined && task.resource.pattern === 'token') {
    task.heartbeat = now + task.heartbeatSeconds * 1000;
  }
  armTask(kernel, task);
  kernel.touchTask(task);
}

export function armTask(kernel: Kernel, task: Task): void {
  if (task.deadline !== undefined) {
    task.timer = kernel.timer(task.deadline, () => kernel.work.push(() => timedOut(kernel, task, false)));
  }
  armHeartbeat(kernel, task);
}

function armHeartbeat(kernel: Kernel, task: Task): void {
  kernel.cancelTimer(task.heartbeatTimer);
  if (task.heartbeat === undefined) return;
  task.heartbeatTimer = kernel.timer(task.heartbeat, () =>
    kernel.work.push(() => timedOut(kernel, task, true)),
  );
}

/** Once the start is committed, does what the task asks for; a slot is taken until that settles. */
export function run(kernel: Kernel, task: Task): void {
  const abort = new AbortController();
  task.abort = abort;
  kernel.afterCommit.push(() => {
    const settled = (outcome: Outcome): void =>
      kernel.post(async () => {
        kernel.runningTasks--;
        await guarded(kernel, task.frame, () => taskSettled(kernel, task, outcome));
        await admitNext(kernel);
      });
    if (abort.signal.aborted) {
      settled({ failure: { error: TIMEOUT } });
      return;
    }
    kernel
      .activity(() => kernel.outside.perform(task, abort.signal))
      .then(
        (value) => settled({ result: value }),
        (error: unknown) => settled({ failure: failureOf(error) }),
      );
  });
}

type Outcome = { result: Json } | { failure: Failure };

async function admitNext(kernel: Kernel): Promise<void> {
  while (kernel.runningTasks < MAX_RUNNING_TASKS) {
    const next = kernel.waitingTasks.shift();
    if (!next) return;
    if (next.status !== 'scheduled') continue;
    await guarded(kernel, next.frame, () => admit(kernel, next));
  }
}

/** An error's name and message as the service reports a failed function. */
export function failureOf(error: unknown): Failure {
  if (error instanceof StateFailed) return error.failure;
  const fault = error instanceof Error ? error : new Error(String(error));
  const trace = (fault.stack ?? '').split('\n');
  const cause = JSON.stringify({ errorType: fault.name, errorMessage: fault.message, trace });
  return { error: fault.name, cause };
}

async function taskSettled(kernel: Kernel, task: Task, outcome: Outcome): Promise<void> {
  delete task.abort;
  if (task.status !== 'started') return;
  if ('failure' in outcome) {
    await taskFailed(kernel, task, outcome.failure);
    return;
  }
  const result = payload(outcome.result);
  if (task.resource.pattern === 'token') submitted(kernel, task, result);
  else await taskSucceeded(kernel, task, result);
}

/** The request of a token task has been answered: from here on it waits for its token. */
export function submitted(kernel: Kernel, task: Task, output?: Payload): void {
  kernel.emit(task.frame, 'TaskSubmitted', [
    'taskSubmittedEventDetails',
    {
      ...named(task.resource),
      output: output?.text,
      ...(output ? { outputDetails: { truncated: false } } : {}),
    },
  ]);
  task.status = 'submitted';
  kernel.touchTask(task);
}

/** Records a task's result and takes the transition it causes, in one commit. */
export async function taskSucceeded(kernel: Kernel, task: Task, result: Payload): Promise<void> {
  const { frame } = task;
  try {
    limited(result, frame.state, 'result');
  } catch (error) {
    if (!(error instanceof StateFailed)) throw error;
    await taskFailed(kernel, task, error.failure);
    return;
  }
  const output = { output: result.text, outputDetails: { truncated: false } };
  if (task.resource.service === 'function') {
    kernel.emit(frame, 'LambdaFunctionSucceeded', ['lambdaFunctionSucceededEventDetails', output]);
  } else {
    kernel.emit(frame, 'TaskSucceeded', [
      'taskSucceededEventDetails',
      { ...named(task.resource), ...output },
    ]);
  }
  closeTask(kernel, task);
  const state = stateOf(frame) as TaskState;
  await leave(kernel, frame, {
    assign: state.assign,
    output: state.output,
    next: state.next,
    otherwise: result,
    result: result.value,
  });
}

export async function taskFailed(kernel: Kernel, task: Task, failure: Failure): Promise<void> {
  const { frame } = task;
  const cause = failure.cause === undefined ? undefined : clipCause(failure.cause);
  const details = { error: failure.error, cause };
  if (task.resource.service === 'function') {
    kernel.emit(frame, 'LambdaFunctionFailed', ['lambdaFunctionFailedEventDetails', details]);
  } else {
    kernel.emit(frame, 'TaskFailed', ['taskFailedEventDetails', { ...named(task.resource), ...details }]);
  }
  closeTask(kernel, task);
  await failState(kernel, frame, { ...failure, ...(cause === undefined ? {} : { cause }) });
}

/** The time-out or heartbeat passed: both are `States.Timeout`, without a cause. */
async function timedOut(kernel: Kernel, task: Task, byHeartbeat: boolean): Promise<void> {
  if (task.status === 'closed' || task.execution.status !== 'RUNNING') return;
  const due = byHeartbeat ? task.heartbeat : task.deadline;
  if (due === undefined || due > kernel.now()) return;
  const { frame } = task;
  await guarded(kernel, frame, async () => {
    if (task.resource.service === 'function') {
      kernel.emit(frame, 'LambdaFunctionTimedOut', [
        'lambdaFunctionTimedOutEventDetails',
        { error: TIMEOUT },
      ]);
    } else {
      kernel.emit(frame, 'TaskTimedOut', [
        'taskTimedOutEventDetails',
        { ...named(task.resource), error: TIMEOUT },
      ]);
    }
    closeTask(kernel, task);
    await failState(kernel, frame, { error: TIMEOUT, ...(byHeartbeat ? { also: [HEARTBEAT_TIMEOUT] } : {}) });
  });
}

/** A heartbeat came: the next one is due `HeartbeatSeconds` from now. */
export function beat(kernel: Kernel, task: Task): void {
  if (task.heartbeatSeconds === undefined) return;
  task.heartbeat = kernel.now() + task.heartbeatSeconds * 1000;
  armHeartbeat(kernel, task);
  kernel.touchTask(task);
}

/** No answer is taken any more; what still runs for the task is told to stop. */
export function closeTask(kernel: Kernel, task: Task | undefined): void {
  if (!task || task.status === 'closed') return;
  const running = task.status === 'started';
  task.status = 'closed';
  kernel.cancelTimer(task.timer);
  kernel.cancelTimer(task.heartbeatTimer);
  kernel.tasks.delete(task.token);
  kernel.touchTask(task);
  delete task.frame.task;
  const { abort, nested } = task;
  if (nested?.status === 'RUNNING')
    kernel.work.push(() => endExecution(kernel, nested, { status: 'ABORTED' }));
  if (running && abort) kernel.afterCommit.push(() => abort.abort(new Error('The task was stopped.')));
}
