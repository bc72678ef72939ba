import type { Runtime } from '#shared/task/runtime.ts';
import { Door } from './door.ts';

const doors = new WeakMap<object, Door>();

/** The door of a runtime's store: one for all tasks of a process. */
export function doorOf(runtime: Runtime): Door {
  let door = doors.get(runtime.records);
  if (!door) {
    door = new Door(runtime);
    doors.set(runtime.records, door);
  }
  return door;
}

/** Gives back what this process holds of a job's budget. */
export async function releaseJob(runtime: Runtime, jobId: string): Promise<void> {
  await doors.get(runtime.records)?.release(jobId);
}

/** Gives back everything and writes the metrics: before a process ends. Calls after it open a new door. */
export async function closeDoor(runtime: Runtime): Promise<void> {
  const door = doors.get(runtime.records);
  doors.delete(runtime.records);
  await door?.close();
}
