import { z } from 'zod';
import { ArtifactRefSchema } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';

/** Shapes of task inputs that more than one task takes. */

export const RefSchema = ArtifactRefSchema as unknown as z.ZodType<ArtifactRef, ArtifactRef>;
export const count = z.int().nonnegative();
/** What every task is given: the job and its config. */
export const jobInput = { jobId: z.string(), config: RefSchema };
/** What inference left, or the error that ended it. */
export const answered = {
  results: RefSchema.nullish(),
  stop: z.string().nullish(),
};
export const PlannedRequests = z.object({ requests: RefSchema, prefix: z.string(), count });
