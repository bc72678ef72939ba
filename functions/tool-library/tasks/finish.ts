import { z } from 'zod';
import type { Json } from '#shared/storage/ports.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { END_FIELDS } from '#shared/task/finish.ts';
import { finishLibrary } from '../finish.ts';
import { RefSchema } from './create-schemas.ts';

/** `Finish` and `RecordFailure`: how a job ends. Before `Begin` has named the job, the execution names it. */
export const handler = defineTask({
  name: 'tool-library/finish',
  input: z.object({
    ...END_FIELDS,
    /** What was published, where something was. */
    published: z.json().optional(),
  }),
  output: z.object({ jobId: z.string(), status: z.string(), manifest: RefSchema.optional() }),
  run: (input, ctx) =>
    finishLibrary(
      { ...input, event: input.event as Json | undefined, published: input.published as Json | undefined },
      ctx,
    ),
});
