import { z } from 'zod';
import { AnswerTypeSchema, DomainSchema } from './input.ts';
import { REJECT_CODES, type RejectCode } from './reject-codes.ts';

/** Every record that flows through dataset-synthesis (specification section 3). All schemas are strict. */

export * from './input.ts';
export * from './reject-codes.ts';

const count = z.number().int().nonnegative();
const json = z.record(z.string(), z.unknown());

export const DocumentSchema = z.strictObject({
  /** `d` and 32 hex digits of sha256(normText). */
  docId: z.string(),
  sourceId: z.string().optional(),
  /** The document's own address where it has one, else its file's without the platform's transport prefix. */
  sourceUri: z.string(),
  /** Where it stood: `file` is the artifact it was read from; a passage has its parent's position. */
  position: z.strictObject({ file: z.string(), line: count, byteStart: count, byteEnd: count }),
  title: z.string().optional(),
  /** normText: what docId is the hash of. */
  text: z.string(),
  lang: z.string().optional(),
  passage: z
    .strictObject({ parentId: z.string(), index: count, charStart: count, charEnd: count })
    .optional(),
  licence: z.string(),
  attribution: z.string().optional(),
  /** o200k_base tokens of the text. */
  tokens: count,
  meta: json,
});
export type Document = z.infer<typeof DocumentSchema>;

/** A document that passed filter and identify; `part` and `line` (from 1) find its Document. */
export const AnalysedSchema = z.strictObject({
  docId: z.string(),
  part: z.string(),
  line: count,
  domain: DomainSchema,
  personas: z.array(z.string()).min(1).max(3),
  tokens: count,
  licence: z.string(),
});
export type Analysed = z.infer<typeof AnalysedSchema>;

export const STAGES = ['filter', 'identify', 'generate', 'check'] as const;
export type Stage = (typeof STAGES)[number];
export const StageSchema = z.enum(STAGES);

export const StageResultSchema = z.strictObject({
  jobId: z.string(),
  /** docId or pairId. */
  subjectId: z.string(),
  stage: StageSchema,
  status: z.enum(['ok', 'rejected', 'failed', 'pending']),
  code: z.enum(REJECT_CODES as [RejectCode, ...RejectCode[]]).optional(),
  provider: z.string(),
  model: z.string(),
  roleVersion: z.string(),
  callId: z.string(),
  tokensIn: count,
  tokensOut: count,
  costMicros: count,
  latencyMs: z.number().nonnegative(),
  attempts: count,
  cached: z.boolean(),
  /** Key of the JSONL object that holds the model's result. */
  outputRef: z.string(),
});
export type StageResult = z.infer<typeof StageResultSchema>;

/** One call that a record rests on; `callId` is the model-cache key. */
export const ProvenanceSchema = z.strictObject({
  stage: StageSchema,
  provider: z.string(),
  model: z.string(),
  roleVersion: z.string(),
  callId: z.string(),
});
export type Provenance = z.infer<typeof ProvenanceSchema>;

export const QaRecordSchema = z.strictObject({
  /** `q` and 32 hex digits of sha256(docId, persona, normalised question, answerKey). */
  qaId: z.string(),
  question: z.string(),
  answer: z.string(),
  answerType: AnswerTypeSchema,
  answerKey: z.string(),
  answerAliases: z.array(z.string()),
  domain: DomainSchema,
  persona: z.string(),
  context: z.string().optional(),
  evidence: z.strictObject({ quote: z.string(), charStart: count, charEnd: count }).optional(),
  docId: z.string(),
  sourceId: z.string().optional(),
  sourceUri: z.string(),
  title: z.string().optional(),
  licence: z.string(),
  attribution: z.string().optional(),
  lang: z.string().optional(),
  flags: z.array(z.string()),
  origin: z.enum(['model', 'builtin']),
  provenance: z.array(ProvenanceSchema),
});
export type QaRecord = z.infer<typeof QaRecordSchema>;

/** At most 4 KiB of JSON. */
export const RejectSchema = z.strictObject({
  rejectId: z.string(),
  jobId: z.string(),
  stage: z.string(),
  code: z.enum(REJECT_CODES as [RejectCode, ...RejectCode[]]),
  class: z.enum(['input', 'quality', 'failure']),
  docId: z.string().optional(),
  pairId: z.string().optional(),
  licence: z.string(),
  source: z.strictObject({ uri: z.string(), line: count, byteStart: count }),
  question: z.string().optional(),
  answer: z.string().optional(),
  callId: z.string().optional(),
  evidence: json,
});
export type Reject = z.infer<typeof RejectSchema>;

// ------------------------------------------------------------------------------- inputs and outputs of roles

const docFields = {
  /** Makes the fence's marker; not shown as content. */
  docId: z.string(),
  title: z.string().optional(),
  text: z.string(),
};

/** A yes or no of a model: booleans, or Y/N, yes/no, true/false in any case; anything else fails (closed). */
export const VerdictSchema = z.union([
  z.boolean(),
  z.string().regex(/^\s*(y|n|yes|no|true|false)\s*$/i, 'must be a boolean, yes/no, y/n or true/false'),
]);

/** The boolean a parsed verdict stands for. */
export const verdictOf = (value: boolean | string): boolean =>
  typeof value === 'boolean' ? value : /^\s*(y|yes|true)\s*$/i.test(value);

export const FilterInputSchema = z.strictObject(docFields);
export type FilterInput = z.infer<typeof FilterInputSchema>;

export const FILTER_REASONS = ['ok', 'boilerplate', 'fragment', 'unclear', 'no_fact'] as const;

export const FilterOutputSchema = z.object({
  thought: z.string(),
  qualified: VerdictSchema,
  reason: z.enum(FILTER_REASONS),
});
export type FilterOutput = z.infer<typeof FilterOutputSchema>;

export const IdentifyInputSchema = z.strictObject({
  ...docFields,
  domains: z.array(z.string()),
  maxPersonas: z.number().int().min(1).max(3),
});
export type IdentifyInput = z.infer<typeof IdentifyInputSchema>;

export const IdentifyOutputSchema = z.object({
  thought: z.string(),
  domain: z.string(),
  /** An array, or a text that gates/analysis.ts splits. */
  personas: z.union([z.array(z.string()), z.string()]),
});
export type IdentifyOutput = z.infer<typeof IdentifyOutputSchema>;

/** A worked example of `generate`, written for this project. */
export const GenerateExampleSchema = z.strictObject({
  title: z.string().optional(),
  text: z.string(),
  domain: z.string(),
  persona: z.string(),
  question: z.string(),
  answer: z.string(),
  answerType: AnswerTypeSchema,
  aliases: z.array(z.string()),
  evidence: z.string(),
});
export type GenerateExample = z.infer<typeof GenerateExampleSchema>;

export const GenerateInputSchema = z.strictObject({
  ...docFields,
  domain: z.string(),
  persona: z.string(),
  /** Which of `personas` this is, from 0: builtin gives each a fact of its own. */
  personaIndex: count,
  personas: z.array(z.string()),
  /** Types the job allows. */
  answerTypes: z.array(AnswerTypeSchema),
  examples: z.array(GenerateExampleSchema),
});
export type GenerateInput = z.infer<typeof GenerateInputSchema>;

export const GenerateOutputSchema = z.object({
  thought: z.string(),
  /** True where the text yields no such question; the other fields may then be empty. */
  declined: VerdictSchema.optional(),
  question: z.string(),
  answer: z.string(),
  answerType: z.string(),
  aliases: z.array(z.string()).max(5),
  evidence: z.string(),
});
export type GenerateOutput = z.infer<typeof GenerateOutputSchema>;

export const CheckInputSchema = z.strictObject({ ...docFields, question: z.string(), answer: z.string() });
export type CheckInput = z.infer<typeof CheckInputSchema>;

export const CheckOutputSchema = z.object({
  thought: z.string(),
  answerCorrect: VerdictSchema,
  leaksAnswer: VerdictSchema,
  hasContext: VerdictSchema,
});
export type CheckOutput = z.infer<typeof CheckOutputSchema>;
