import { z } from 'zod';
import { LIBRARY_ID } from '#shared/library/types.ts';
import { ArtifactRefSchema } from '#shared/storage/jsonl.ts';

/** The job input of tool-library (specification section 2): strict, every default filled. */

/** The model roles, in the order a tool meets them. */
export const ROLE_KEYS = [
  'extract-tools',
  'fix-syntax',
  'solve-with-tools',
  'judge-tools',
  'refine-tools',
  'seed-clusters',
  'update-clusters',
  'assign-clusters',
  'blueprint',
  'widen-blueprint',
  'review-blueprint',
  'write-code',
  'review-code',
  'patch-code',
] as const;
export type RoleKey = (typeof ROLE_KEYS)[number];

/** Canonical names of a row's fields. */
export const FIELD_NAMES = [
  'id',
  'question',
  'reasoning',
  'answer',
  'options',
  'code',
  'call',
  'setup',
  'tags',
] as const;
export type FieldName = (typeof FIELD_NAMES)[number];

const int = (min: number, max: number) => z.int().min(min).max(max);
const text = (max: number) => z.string().min(1).max(max);
const perKey = <K extends string>(keys: readonly K[]) =>
  z.strictObject(
    Object.fromEntries(keys.map((key) => [key, text(200).optional()])) as Record<
      K,
      z.ZodOptional<z.ZodString>
    >,
  );

export const ToolLibraryInputSchema = z.strictObject({
  /** An artifact's reference, its key or `s3://` address, or up to 100 rows themselves. */
  source: z.union(
    [text(1024), ArtifactRefSchema, z.array(z.record(z.string(), z.json())).min(1).max(100)],
    'must be an artifact reference, a key, or a list of 1 to 100 rows',
  ),
  format: z.enum(['auto', 'problems', 'tools']).default('auto'),
  /** Canonical name to the data's name, such as `{"answer": "solution"}`. */
  fields: perKey(FIELD_NAMES).prefault({}),
  libraryId: z
    .string()
    .regex(LIBRARY_ID, 'must be a lower-case letter, then 1 to 40 letters, digits or hyphens'),
  /** Version or alias of the library whose tools join. */
  baseVersion: text(100).optional(),
  /** Default: `both` for problems, `execute` for tools. */
  validation: z.enum(['resolve', 'execute', 'both']).optional(),
  /** Registry names a role; else the job's model, else `builtin`. */
  models: perKey(ROLE_KEYS).prefault({}),
  solve: z
    .strictObject({
      /** Each solves every question; default: the model of `solve-with-tools`. */
      models: z.array(text(200)).min(1).max(5).optional(),
      repeats: int(1, 5).default(2),
      maxTurns: int(1, 10).default(10),
      counterfactual: z.boolean().default(false),
    })
    .prefault({}),
  rounds: z
    .strictObject({
      create: int(1, 3).default(3),
      blueprint: int(1, 3).default(2),
      aggregate: int(1, 3).default(3),
    })
    .prefault({}),
  tree: z
    .strictObject({
      seed: int(1, 5000).default(1000),
      batch: int(1, 1000).default(200),
      depth: int(2, 6).default(4),
      minCluster: int(1, 100).default(2),
      maxCluster: int(2, 1000).default(300),
    })
    .refine(({ minCluster, maxCluster }) => minCluster <= maxCluster, {
      path: ['minCluster'],
      message: 'is larger than tree.maxCluster',
    })
    .prefault({}),
  review: z.enum(['all', 'sample', 'execute']).default('all'),
  sandbox: z
    .strictObject({
      timeoutMs: int(50, 300_000).default(3000),
      memoryMb: int(64, 1024).default(256),
      packages: z
        .array(z.enum(['sympy', 'mpmath']))
        .max(2)
        .default([]),
    })
    .prefault({}),
  /** The alias to move to the new version; null publishes without one. */
  publish: z
    .strictObject({
      alias: z
        .string()
        .regex(/^[a-z][a-z0-9-]{0,40}$/)
        .default('latest'),
    })
    .nullable()
    .prefault({}),
  evaluate: z.boolean().default(false),
  /** Only so many rows, for a preview. */
  limit: int(1, 10_000_000).optional(),
  seed: int(0, 2 ** 31 - 1).default(1),
});

export type ToolLibraryInput = z.infer<typeof ToolLibraryInputSchema>;
