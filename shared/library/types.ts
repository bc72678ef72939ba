import { z } from 'zod';

/**
 * What a tool library is made of (specification tool-library, section 3). Hashes are the first 16 hex digits of the
 * SHA-256 of canonical JSON. No record holds a clock time.
 */

/** OpenAI allows 64 characters, MCP 128. */
export const TOOL_NAME = /^[a-z_][a-z0-9_]{0,63}$/;
export const LIBRARY_ID = /^[a-z][a-z0-9-]{1,40}$/;

const jsonSchema = z.record(z.string(), z.unknown());
const json = z.json();

/** Where a tool comes from: enough to find every question, model and role version that shaped it. */
export const LineageSchema = z.strictObject({
  questions: z.array(z.string()),
  sibId: z.string().optional(),
  rounds: z.number().int().nonnegative(),
  models: z.array(z.string()),
  roles: z.record(z.string(), z.string()),
  /** Tools this one was made from. */
  parents: z.array(z.string()),
  codeHash: z.string(),
});

/** How re-solving used the tool (section 9). */
export const EvidenceSchema = z.strictObject({
  runs: z.number().int().nonnegative(),
  called: z.number().int().nonnegative(),
  mattered: z.number().int().nonnegative(),
  rightWithoutCall: z.number().int().nonnegative(),
});

export const ComparatorSchema = z.strictObject({
  kind: z.enum(['auto', 'number', 'choice', 'boolean', 'tuple', 'set', 'interval', 'expression', 'string']),
  relTol: z.number().nonnegative().optional(),
  absTol: z.number().nonnegative().optional(),
});

/** One call with its expected value: what a library must never lose. `id` = `c_` hash(toolId, setup, call, expected). */
export const CaseSchema = z.strictObject({
  id: z.string(),
  toolId: z.string(),
  questionId: z.string(),
  question: z.string(),
  setup: z.string().optional(),
  call: z.string(),
  /** Plain or tagged as a sandbox value. Never enters the sandbox. */
  expected: json,
  /** `gold` is the question's answer, `recorded` what an evidenced call gave. */
  expectedFrom: z.enum(['gold', 'recorded']),
  comparator: ComparatorSchema,
});

/** A function with its schema. `id` = `t_` hash(unparsed syntax tree before renaming, entry). */
export const ToolSchema = z.strictObject({
  id: z.string(),
  name: z.string().regex(TOOL_NAME),
  /** Names it had before a clash was resolved. */
  aliases: z.array(z.string()),
  kind: z.enum(['compute', 'knowledge']),
  /** The tool's purpose, from its docstring. */
  description: z.string(),
  /** JSON Schema of the parameters, derived from the syntax tree, never asked of a model. */
  schema: jsonSchema,
  code: z.string(),
  /** The function that calls name. */
  entry: z.string(),
  caseIds: z.array(z.string()),
  tags: z.array(z.string()),
  validated: z.enum(['resolved', 'executed']),
  evidence: EvidenceSchema,
  lineage: LineageSchema,
});

/** Shared classes, helpers and constants of a SIB, once. `id` = `m_` hash(code). */
export const ModuleSchema = z.strictObject({ id: z.string(), code: z.string(), sibId: z.string() });

/** How a case of a source tool is called on the tool that replaces it. */
export const MappingSchema = z.strictObject({
  caseId: z.string(),
  /** The source tool. */
  toolId: z.string(),
  setup: z.string().optional(),
  call: z.string(),
});

/** A tool of a library: aggregated from several, or kept as it was (no `sibId`). */
export const LibraryToolSchema = ToolSchema.extend({
  /** Topic path from the root of the tree, for reading and for retrieval. */
  path: z.array(z.string()),
  clusterId: z.string(),
  moduleId: z.string().optional(),
  sibId: z.string().optional(),
  /** Why a tool was kept as it is, where it was. */
  keptBecause: z.string().optional(),
  mapping: z.array(MappingSchema),
});

/** The manifest of a published version. `version` = `v_` hash(contents). */
export const LibrarySchema = z.strictObject({
  libraryId: z.string().regex(LIBRARY_ID),
  version: z.string(),
  /** Counts versions of this library from 1. */
  number: z.number().int().positive(),
  baseVersion: z.string().optional(),
  counts: z.record(z.string(), z.number()),
  yields: z.record(z.string(), z.number()),
  files: z.array(
    z.strictObject({
      key: z.string(),
      sha256: z.string(),
      bytes: z.number().int(),
      count: z.number().int().optional(),
    }),
  ),
  encoder: z.strictObject({ id: z.string(), dims: z.number().int().positive() }),
  /** Budget or cancellation ended the job early: every admitted tool is there, aggregated or alone. */
  partial: z.boolean(),
  losslessness: z.strictObject({ cases: z.number().int(), passing: z.number().int(), coverage: z.number() }),
  configHash: z.string(),
});

/** A name for a version, such as `latest`; written if-version. */
export const AliasSchema = z.strictObject({
  libraryId: z.string(),
  name: z.string(),
  version: z.string(),
  previous: z.array(z.string()),
});

export type Comparator = z.infer<typeof ComparatorSchema>;
export type Case = z.infer<typeof CaseSchema>;
export type Tool = z.infer<typeof ToolSchema>;
export type ToolModule = z.infer<typeof ModuleSchema>;
export type Mapping = z.infer<typeof MappingSchema>;
export type LibraryTool = z.infer<typeof LibraryToolSchema>;
export type Library = z.infer<typeof LibrarySchema>;
export type Alias = z.infer<typeof AliasSchema>;
export type Evidence = z.infer<typeof EvidenceSchema>;
export type Lineage = z.infer<typeof LineageSchema>;
