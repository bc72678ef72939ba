import { z } from 'zod';
import type { Json } from '#shared/storage/ports.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { END_FIELDS } from '#shared/task/finish.ts';
import { finishSynthesis } from '../output/finish.ts';
import { Fault, RefSchema } from './schemas.ts';

/** `Finish` and `RecordFailure`: how a job ends. Before `Begin` has named the job, the execution names it. */
export const handler = defineTask({
  name: 'dataset-synthesis/finish',
  input: z.object({
    ...END_FIELDS,
    fault: Fault,
  }),
  output: z.object({ jobId: z.string(), status: z.string(), manifest: RefSchema.optional() }),
  run: (input, ctx) => finishSynthesis({ ...input, event: input.event as Json | undefined }, ctx),
});
