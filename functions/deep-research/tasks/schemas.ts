import { z } from 'zod';
import { ArtifactRefSchema } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';

/** Shapes of task inputs that more than one task takes. */

/** A reference, with the type the ports use. */
export const RefSchema = ArtifactRefSchema as unknown as z.ZodType<ArtifactRef, ArtifactRef>;

/** What every task is given: the job and its config. */
export const jobInput = { jobId: z.string(), config: RefSchema };

export const count = z.int().nonnegative();
