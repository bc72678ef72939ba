import type { Json } from '#shared/storage/ports.ts';
import { DATA_LIMIT_EXCEEDED, StateFailed } from './failure.ts';
import type { Kernel } from './kernel.ts';
import type { Frame } from './model.ts';
import { exceeds, MAX_PAYLOAD_BYTES, MAX_VARIABLES_BYTES } from './payload.ts';

export interface Assignment {
  values: { [name: string]: Json };
  /** JSON text of each value, as `assignedVariables` of the Exited event. */
  texts: { [name: string]: string };
  bytes: number;
}

/**
 * Measures what an `Assign` assigns.
 * @throws StateFailed with `States.DataLimitExceeded` over 256 KiB a variable or an `Assign`, 10 MiB an execution
 */
export function measure(frame: Frame, assigned: Json): Assignment {
  const values = assigned as { [name: string]: Json };
  const texts: { [name: string]: string } = {};
  let bytes = 0;
  let freed = 0;
  for (const [name, value] of Object.entries(values)) {
    const text = JSON.stringify(value);
    if (exceeds(text)) tooMuch(frame, `The variable '${name}' is larger than ${MAX_PAYLOAD_BYTES} bytes.`);
    texts[name] = text;
    bytes += text.length;
    const before = frame.own && Object.hasOwn(frame.own, name) ? frame.own[name] : undefined;
    if (before !== undefined) freed += JSON.stringify(before).length;
  }
  if (bytes > MAX_PAYLOAD_BYTES) tooMuch(frame, `Assign assigns more than ${MAX_PAYLOAD_BYTES} bytes.`);
  if (frame.execution.variableBytes + bytes - freed > MAX_VARIABLES_BYTES) {
    tooMuch(frame, `All variables together are larger than ${MAX_VARIABLES_BYTES} bytes.`);
  }
  return { values, texts, bytes: bytes - freed };
}

function tooMuch(frame: Frame, what: string): never {
  throw new StateFailed({
    error: DATA_LIMIT_EXCEEDED,
    cause: `An error occurred while executing the state '${frame.state}' (entered at the event id #${frame.enteredEvent}). ${what}`,
  });
}

/** Makes the assigned values visible from the next state on. Enclosing and sibling scopes never see them. */
export function assign(kernel: Kernel, frame: Frame, assignment: Assignment): void {
  frame.own = { ...frame.own, ...assignment.values };
  const visible = new Map(frame.variables);
  for (const [name, value] of Object.entries(assignment.values)) visible.set(name, value);
  frame.variables = visible;
  frame.execution.variableBytes += assignment.bytes;
  kernel.touch(frame);
  kernel.touchExecution(frame.execution);
}

/** Gives back the room of a finished scope's variables. */
export function release(kernel: Kernel, frame: Frame): void {
  if (frame.own === undefined) return;
  for (const value of Object.values(frame.own)) frame.execution.variableBytes -= JSON.stringify(value).length;
  kernel.touchExecution(frame.execution);
}
