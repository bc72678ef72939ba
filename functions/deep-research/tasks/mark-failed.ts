import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { isEnded } from '../records.ts';
import { loadHead, saveHead } from '../run/store.ts';
import { jobInput } from './schemas.ts';

/** `MarkFailed`: a run whose slices failed for good; what it has done stays, a resume of the job takes it up again. */
export const handler = defineTask({
  name: 'deep-research/mark-failed',
  input: z.object({
    ...jobInput,
    runId: z.string(),
    attempt: z.int().min(1),
    error: z.object({ Error: z.string().optional(), Cause: z.string().optional() }).optional(),
  }),
  output: z.object({ status: z.string() }),
  // A run of a cancelled job is to be marked too.
  evenIfCancelled: true,
  async run({ jobId, runId, attempt, error }, ctx) {
    for (;;) {
      const head = await loadHead(ctx.records, jobId, runId);
      if (isEnded(head.run.status)) return { status: head.run.status };
      const cancelled = error?.Error === 'Cancelled';
      const status = cancelled ? ('cancelled' as const) : ('failed' as const);
      const run = { ...head.run, status, endReason: cancelled ? ('cancelled' as const) : ('error' as const) };
      ctx.log.warn('A run failed.', { runId, error: error?.Error });
      if ((await saveHead(ctx.records, jobId, { ...head, run, endedAttempt: attempt })) !== undefined)
        return { status };
    }
  },
});
