import { stateOf, stopTimer } from './frames.ts';
import { closeTask } from './tasks.ts';
import type { Kernel } from './kernel.ts';
import { abortMapRun } from './map-run.ts';
import { isDone, type Frame } from './model.ts';

/** Stops whatever still runs below a frame, with the service's Aborted events. */
export function abortChildren(kernel: Kernel, frame: Frame): void {
  const iterations = stateOf(frame).type === 'Map';
  for (const child of frame.children.values()) {
    if (isDone(child.phase) || child.phase === 'failed') continue;
    abortFrame(kernel, child);
    if (iterations) {
      kernel.emit(
        child,
        'MapIterationAborted',
        ['mapIterationAbortedEventDetails', { name: frame.state, index: child.index }],
        { aside: true },
      );
    }
  }
}

/** Stops a frame where it is; its state and input stay, so that it can be redriven. */
export function abortFrame(kernel: Kernel, frame: Frame): void {
  const entered = frame.enteredEvent > 0;
  if (frame.phase === 'task') closeTask(kernel, frame.task);
  if (frame.phase === 'children') abortChildren(kernel, frame);
  if (frame.phase === 'maprun' && frame.run) abortMapRun(kernel, frame.run);
  stopTimer(kernel, frame);
  const { type } = stateOf(frame);
  if (entered && (type === 'Task' || type === 'Wait' || type === 'Map' || type === 'Parallel')) {
    kernel.emit(frame, `${type}StateAborted`, undefined, { aside: true });
  }
  frame.phase = 'failed';
  kernel.touch(frame);
}
