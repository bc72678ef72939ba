import { z } from 'zod';
import { ArtifactRefSchema } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { SegmentSchema } from '../sources/segments.ts';

/** Shapes of task inputs that more than one task takes. */

/** A reference, with the type the ports use. */
export const RefSchema = ArtifactRefSchema as unknown as z.ZodType<ArtifactRef, ArtifactRef>;

/** What every task is given: the job and its config. */
export const jobInput = { jobId: z.string(), config: RefSchema };

const count = z.int().nonnegative();

export const SegmentItems = z.array(SegmentSchema).min(1);

export const ShardSchema = z.strictObject({
  part: z.string(),
  count,
  lines: z.array(z.int().positive()).optional(),
});

export const PairShardSchema = z.strictObject({
  part: z.string(),
  slices: z.array(z.strictObject({ part: z.string(), from: count, to: count })),
  count,
  sample: z
    .strictObject({ all: z.number().optional(), byDomain: z.record(z.string(), z.number()).optional() })
    .optional(),
});

export const ExportPartSchema = z.strictObject({ n: count, count, curated: RefSchema });

/** The requests of a child execution, and where inference leaves the answers. */
export const PlannedRequests = z.object({ requests: RefSchema, prefix: z.string(), count });

/** A sentence where the job must end as failed. */
export const Fault = z.string().optional();
