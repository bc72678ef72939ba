import { z } from 'zod';
import { ArtifactRefSchema } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';

/** Shapes that the clustering tasks take. */

export const RefSchema = ArtifactRefSchema as unknown as z.ZodType<ArtifactRef, ArtifactRef>;

export const jobInput = { jobId: z.string(), config: RefSchema };

const count = z.int().nonnegative();

export const CardPartSchema = z.strictObject({ part: count, count });

const attempt = z.int().min(1).max(3).default(1);

/** What plan and apply are told of one R(role). `try` starts at 1; apply gives the next. */
export const seedStage = { ...jobInput, stage: z.literal('seed-clusters'), try: attempt };
export const updateStage = {
  ...jobInput,
  stage: z.literal('update-clusters'),
  /** Updates of the segment, from 1: this one, and its last. */
  update: z.int().positive(),
  until: z.int().positive(),
  try: attempt,
};
export const assignStage = {
  ...jobInput,
  stage: z.literal('assign-clusters'),
  /** Version of the finished tree: the number of updates. */
  version: count,
  items: z.array(CardPartSchema).min(1),
  try: attempt,
};

export const PlannedSchema = z.object({ requests: RefSchema, prefix: z.string(), count });
