import { jsonIfAny, writeJson } from '#shared/storage/jsonl.ts';
import type { TaskContext } from '#shared/task/context.ts';

/**
 * Why a job ends early. A child execution cannot tell its parent but by failing, so it leaves a note, and the parent
 * looks for one after each Distributed Map; what the parent caught itself it hands to the next task, which notes it.
 * Report and Finish go by the note. Notes are an attempt's own: a resumed job goes on.
 */
export const STOPS = ['budget', 'cancelled', 'provider'] as const;
export type Stop = (typeof STOPS)[number];

const noteKey = (jobId: string, attempt: number): string => `jobs/${jobId}/stops/${attempt}.json`;

/** The first note stands. */
export async function noteStop(
  ctx: Pick<TaskContext, 'artifacts' | 'attempt'>,
  jobId: string,
  stop: Stop,
): Promise<Stop> {
  const earlier = await stopOf(ctx, jobId);
  if (earlier === undefined) await writeJson(ctx.artifacts, noteKey(jobId, ctx.attempt), { stop });
  return earlier ?? stop;
}

/** The same for a stop that the machine itself caught, in a state of its own: `''` is none. */
export async function noteCaught(
  ctx: Pick<TaskContext, 'artifacts' | 'attempt'>,
  jobId: string,
  caught: string,
): Promise<void> {
  const stop = STOPS.find((each) => each === caught);
  if (stop !== undefined) await noteStop(ctx, jobId, stop);
}

export const stopOf = async (
  ctx: Pick<TaskContext, 'artifacts' | 'attempt'>,
  jobId: string,
): Promise<Stop | undefined> =>
  (await jsonIfAny<{ stop: Stop }>(ctx.artifacts, noteKey(jobId, ctx.attempt)))?.stop;
