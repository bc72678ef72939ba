import { z } from 'zod';

/**
 * Records that research workflows share (specification deep-research, section 3). `h` is the first 16 hex digits of a
 * SHA-256 of canonical JSON. No record holds a clock time unless it says so.
 */

export const RubricItemSchema = z.strictObject({
  id: z.string(),
  category: z.enum(['factuality', 'compliance', 'writing', 'citations']),
  statement: z.string(),
  weight: z.number().positive(),
  mustHave: z.boolean(),
  phrases: z.array(z.string()).optional(),
});

export const EvidenceQuoteSchema = z.strictObject({ url: z.string(), quote: z.string() });

/** `id` = `q-` + h(kind, text). */
export const QuestionSchema = z.strictObject({
  id: z.string(),
  kind: z.enum(['short', 'report', 'math', 'code']),
  text: z.string(),
  gold: z.string().optional(),
  aliases: z.array(z.string()).optional(),
  /** Python that raises unless the answer's code is right. */
  tests: z.string().optional(),
  rubric: z.array(RubricItemSchema).optional(),
  hops: z.number().int().positive().optional(),
  evidence: z.array(EvidenceQuoteSchema),
  hardness: z.number().min(0).max(1).optional(),
  split: z.enum(['train', 'test']),
});

export const CITATION_STATUSES = ['verified', 'url_not_fetched', 'quote_not_found', 'too_short'] as const;

export const CitationSchema = z.strictObject({
  n: z.number().int().positive(),
  url: z.string(),
  quote: z.string(),
  /** The step that browsed the page. */
  step: z.number().int().positive().optional(),
  status: z.enum(CITATION_STATUSES),
});

export const ReportSchema = z.strictObject({
  markdown: z.string(),
  /** The short answer, where the question asks for one. */
  short: z.string().optional(),
  /** Made when a limit ended the run. */
  partial: z.boolean(),
  citations: z.array(CitationSchema),
});

/** What a tool gave back: `text` is what the agent reads. */
export const ObservationSchema = z.strictObject({
  tool: z.string(),
  text: z.string(),
  /** Set where the tool refused or failed; the text says why. */
  code: z.string().optional(),
  meta: z.strictObject({
    url: z.string().optional(),
    title: z.string().optional(),
    /** Sections of the page. */
    sections: z.number().int().nonnegative().optional(),
    /** Key of the whole stored page. */
    sourceRef: z.string().optional(),
    truncated: z.boolean().optional(),
  }),
});

/** A stored answer of a tool: `key` = SHA-256 of (tool, canonical arguments, tool version, provider or corpus). */
export const CacheEntrySchema = z.strictObject({
  key: z.string(),
  bodyRef: z.string(),
  status: z.enum(['ok', 'blocked']),
  /** Milliseconds since the epoch. */
  fetchedAt: z.number(),
  /** Seconds; absent keeps for ever. */
  ttl: z.number().optional(),
});

export type RubricItem = z.infer<typeof RubricItemSchema>;
export type EvidenceQuote = z.infer<typeof EvidenceQuoteSchema>;
export type Question = z.infer<typeof QuestionSchema>;
export type Citation = z.infer<typeof CitationSchema>;
export type Report = z.infer<typeof ReportSchema>;
export type Observation = z.infer<typeof ObservationSchema>;
export type CacheEntry = z.infer<typeof CacheEntrySchema>;

/** One statement of a document: `relation` is its key, with the nearest heading before it if the key occurs under several. */
export interface Fact {
  documentId: string;
  title: string;
  /** Headings above the fact. */
  path: string[];
  key: string;
  relation: string;
  value: string;
  /** The value up to `;`, `(`, a comma or ` - `, without a trailing number with its unit. */
  head: string;
  /** Line of the document's text, from 1, and the line itself: what a citation quotes. */
  line: number;
  text: string;
}

export interface SearchHit {
  title: string;
  url: string;
  /** At most 300 characters. */
  snippet: string;
  score: number;
}
