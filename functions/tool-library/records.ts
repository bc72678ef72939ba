import { z } from 'zod';

/** The records in flight between the stages; what is published is in shared/library/types.ts (section 3). */

export const REJECT_CODES = [
  'BAD_ROW',
  'FIELD_MISSING',
  'TOO_LARGE',
  'UNSUPPORTED_CALL',
  'GENERATION_EMPTY',
  'BLOCK_INCOMPLETE',
  'SYNTAX_ERROR',
  'SCHEMA_INVALID',
  'POLICY_IMPORT',
  'PACKAGE_UNAVAILABLE',
  'EXEC_ERROR',
  'TIMEOUT',
  'OUT_OF_MEMORY',
  'WRONG_VALUE',
  'ANNOTATION_MISMATCH',
  'ANSWER_NOT_REACHED',
  'CONSTANT_FUNCTION',
  'SWALLOWS_ERRORS',
  'ANSWER_LITERAL',
  'NONDETERMINISTIC',
  'STATE_TAMPERED',
  'NOT_USED',
  'NOT_SOLVED',
] as const;

/** What a surviving tool carries with it. */
export const NOTE_CODES = [
  'TREE_OP_INVALID',
  'UNASSIGNED',
  'NOT_COVERED',
  'NOT_EQUIVALENT',
  'ROUNDS_EXHAUSTED',
] as const;

export type RejectCode = (typeof REJECT_CODES)[number];
export type NoteCode = (typeof NOTE_CODES)[number];

/** Why an item went no further, or what a survivor should be known for. Of several codes the earliest listed holds. */
export const RejectSchema = z.strictObject({
  itemId: z.string(),
  stage: z.string(),
  code: z.enum([...REJECT_CODES, ...NOTE_CODES]),
  message: z.string(),
  /** Key of the evidence: raw reply, failing run, row. */
  evidence: z.string().optional(),
  round: z.number().int().nonnegative().optional(),
});

/** A solved problem. `id` = `p_` hash(question, answer). */
export const ProblemSchema = z.strictObject({
  id: z.string(),
  /** Line of the source, from 1. */
  line: z.number().int().positive(),
  question: z.string(),
  reasoning: z.string(),
  answer: z.string(),
  options: z.array(z.string()).optional(),
});

/** A tool somebody else wrote, as imported, with the call that should give the answer. */
export const ImportedToolSchema = z.strictObject({
  id: z.string(),
  line: z.number().int().positive(),
  question: z.string(),
  answer: z.json(),
  code: z.string(),
  call: z.string(),
  setup: z.string().optional(),
  tags: z.array(z.string()),
});

/** A node of the topic tree; leaves hold tools. */
export const ClusterNodeSchema = z.strictObject({
  id: z.string(),
  parent: z.string().nullable(),
  level: z.number().int().positive(),
  children: z.array(z.string()),
  name: z.string(),
  description: z.string(),
  toolIds: z.array(z.string()),
  centroid: z.array(z.number()).optional(),
});

/** A balanced leaf: what Blueprint maps over. */
export const ClusterSchema = z.strictObject({
  clusterId: z.string(),
  /** Names from the root to the leaf. */
  path: z.array(z.string()),
  description: z.string(),
  toolIds: z.array(z.string()),
});

/** Static inference block: one concrete scenario. `id` = `s_` hash(cluster, toolIds). */
export const SibSchema = z.strictObject({
  id: z.string(),
  clusterId: z.string(),
  name: z.string(),
  description: z.string(),
  classes: z.array(z.json()),
  functions: z.array(z.json()),
  coveredToolIds: z.array(z.string()),
  /** Blueprint pass that made it: 1, 2, or 0 for a tool that stands alone. */
  pass: z.number().int().nonnegative(),
});

export type Reject = z.infer<typeof RejectSchema>;
export type Problem = z.infer<typeof ProblemSchema>;
export type ImportedTool = z.infer<typeof ImportedToolSchema>;
export type ClusterNode = z.infer<typeof ClusterNodeSchema>;
export type Cluster = z.infer<typeof ClusterSchema>;
export type Sib = z.infer<typeof SibSchema>;
