import { z } from 'zod';
import { EvidenceQuoteSchema } from '#shared/research/types.ts';

/** Records of research-questions (specification deep-research, sections 3, 8 and 9). None holds a clock time. */

/** A question being made. Its chain begins with one fact; every extension hides an entity behind a description. */
export interface Draft {
  /** `d-` + h(seed document, relation): the chain's, whatever its length. */
  id: string;
  /** The document of the seed fact: questions of one seed document are in one split. */
  seedDocument: string;
  /** Extensions so far. */
  extensions: number;
  question: string;
  answer: string;
  /** Relation of the seed fact. */
  relation: string;
  /** The entity that the question names and an extension may hide; absent where it names none any more. */
  entity?: string;
  /** Entities the question must not name. */
  hidden: string[];
  /** Documents with what the question needs, the seed's first. */
  documents: string[];
  evidence: { url: string; quote: string }[];
  /** What the question rests on: the seed fact, then what each extension describes an entity by. */
  chain: Candidate[];
  hardness?: number;
}

/** What a fact offers to the writer of a question. */
export const CandidateSchema = z.strictObject({
  form: z.enum(['seed', 'link', 'attribute']),
  /** The entity that the fact is about. */
  entity: z.string(),
  relation: z.string(),
  /** The head of the fact's value. */
  value: z.string(),
  documentId: z.string(),
  evidence: EvidenceQuoteSchema,
});
export type Candidate = z.infer<typeof CandidateSchema>;

export type RejectCode =
  | 'no_bridge'
  | 'bad_output'
  | 'entity_named'
  | 'answer_in_question'
  | 'relative_date'
  | 'verbatim'
  | 'quote_not_found'
  | 'not_unique'
  | 'not_derivable'
  | 'leaks'
  | 'closed_book'
  | 'too_hard'
  | 'too_easy'
  | 'too_short'
  | 'contaminated'
  | 'near_duplicate'
  | 'repeated_answer'
  | 'surplus'
  | 'too_few_facts'
  | 'model_failed';

export interface Reject {
  id: string;
  stage: 'extend' | 'validate' | 'harden' | 'rubric' | 'export';
  code: RejectCode;
  detail: string;
  question?: string;
}

/** One line of a shard of a round: a fact to begin with, or a question to make a hop longer. */
export type ShardLine = { seed: Candidate } | { draft: Draft };

/** What a shard asks for: the line with the facts its page offers. */
export interface PlannedLine {
  id: string;
  candidates: Candidate[];
  draft?: Draft;
}
