import { z } from 'zod';
import { ArtifactRefSchema } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';

/** Shapes that the tasks of the create loop take. */

export const RefSchema = ArtifactRefSchema as unknown as z.ZodType<ArtifactRef, ArtifactRef>;

export const jobInput = { jobId: z.string(), config: RefSchema };

/** The machine's `$stop`: what it caught, or `''`. */
export const stopInput = { stop: z.string().default('') };

const count = z.int().nonnegative();

/** A line of `ingest/index.jsonl`. */
export const ShardPointerSchema = z.strictObject({ part: count, ref: RefSchema });

export const CREATE_STAGES = [
  'extract-tools',
  'fix-syntax',
  'solve-with-tools',
  'judge-tools',
  'refine-tools',
] as const;
export type CreateStage = (typeof CREATE_STAGES)[number];

/** What every step of a shard is told: where it stands, and the state of the step before. */
export const stepInput = {
  ...jobInput,
  part: count,
  round: z.int().min(1).max(3),
  turn: count,
  state: RefSchema,
};

/** What a `Plan…` gives: where the part stands, and one step's requests. */
export const PlannedStepSchema = z.object({
  part: count,
  state: RefSchema,
  requests: RefSchema,
  prefix: z.string(),
  count,
  /** An earlier attempt has finished the part: there is nothing to ask. */
  finished: z.boolean(),
});
