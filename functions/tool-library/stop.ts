import { jsonIfAny, writeJson } from '#shared/storage/jsonl.ts';
import type { TaskContext } from '#shared/task/context.ts';

/**
 * Why a job ends early. A child execution cannot tell its parent but by failing, so it leaves a note, and the parent
 * looks for one after each Distributed Map. Notes are an attempt's own: a resumed job goes on.
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

export const stopOf = async (
  ctx: Pick<TaskContext, 'artifacts' | 'attempt'>,
  jobId: string,
): Promise<Stop | undefined> =>
  (await jsonIfAny<{ stop: Stop }>(ctx.artifacts, noteKey(jobId, ctx.attempt)))?.stop;
