import { isoTime } from '#shared/determinism/clock.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { Scope } from '../language/index.ts';
import { machineArn, ROLE_ARN } from './arns.ts';
import type { Kernel } from './kernel.ts';
import type { Frame } from './model.ts';

export interface ContextExtras {
  token?: string;
  /** `Map.Item` of the item at hand, for `ItemSelector`. */
  item?: { [key: string]: Json };
}

/** The context object that a frame's expressions see (embedded-platform section 2). */
export function contextOf(frame: Frame, extras: ContextExtras = {}): { [key: string]: Json } {
  const execution = frame.execution;
  const item = extras.item ?? itemOf(frame);
  return {
    Execution: {
      Id: execution.arn,
      Input: execution.input.value,
      Name: execution.name,
      RoleArn: ROLE_ARN,
      StartTime: isoTime(execution.started),
      ...(execution.redrives === 0
        ? {}
        : {
            RedriveCount: execution.redrives,
            RedriveTime: isoTime(execution.redriven ?? execution.started),
          }),
    },
    StateMachine: { Id: machineArn(execution.machine), Name: execution.machine },
    State: { Name: frame.state, EnteredTime: isoTime(frame.enteredTime), RetryCount: frame.retryCount },
    ...(extras.token === undefined ? {} : { Task: { Token: extras.token } }),
    ...(item === undefined ? {} : { Map: { Item: item } }),
  };
}

/** The innermost iteration's item. */
function itemOf(frame: Frame): { [key: string]: Json } | undefined {
  for (let at: Frame | undefined = frame; at; at = at.parent) {
    if (at.item) {
      const { index, value, key } = at.item;
      return { Index: index, Value: value, ...(key === undefined ? {} : { Key: key }), Source: 'STATE_DATA' };
    }
  }
  return undefined;
}

/** What a frame's templates are evaluated in. */
export function scopeOf(
  kernel: Kernel,
  frame: Frame,
  more: { result?: Json; errorOutput?: Json } & ContextExtras = {},
): Scope {
  return {
    stateName: frame.state,
    enteredEventId: frame.enteredEvent,
    input: frame.input.value,
    context: contextOf(frame, more),
    variables: frame.variables,
    now: kernel.now(),
    ...(more.result === undefined ? {} : { result: more.result }),
    ...(more.errorOutput === undefined ? {} : { errorOutput: more.errorOutput }),
  };
}
