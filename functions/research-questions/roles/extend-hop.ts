import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { fencedRole } from '#shared/models/fenced-role.ts';
import { EvidenceQuoteSchema } from '#shared/research/types.ts';
import { CandidateSchema } from '../records.ts';

export const ExtendHopInput = z.strictObject({
  /** 0 writes a question from one fact; later hops hide an entity of it. */
  hop: z.int().min(0),
  question: z.string().optional(),
  answer: z.string().optional(),
  /** The entity that is to be hidden. */
  entity: z.string().optional(),
  page: z.strictObject({ url: z.string(), title: z.string(), text: z.string() }),
  entityNoun: z.string(),
  /** What the algorithm chooses from; prompts do not show it. */
  analysis: z.strictObject({ candidates: z.array(CandidateSchema) }).optional(),
});
export type ExtendHopInput = z.infer<typeof ExtendHopInput>;

export const ExtendHopOutput = z.object({
  question: z.string().max(2000),
  answer: z.string().max(300),
  /** What the description says: `value` is the `relation` of `entity`. */
  bridge: z.object({ entity: z.string(), relation: z.string(), value: z.string() }),
  evidence: EvidenceQuoteSchema,
});
export type ExtendHopOutput = z.infer<typeof ExtendHopOutput>;

const SYSTEM = `You write research questions with one short, checkable answer, from pages of a corpus.

Without a question so far, write one from a single fact of the page: it names the page's subject, asks for the fact,
and has exactly one right answer of at most eight words, which you give.

With a question so far, make it harder and keep its answer. Replace the named entity by a description that fits it
alone and that only the page below resolves: a fact of the page whose value is the entity, or a fact about the entity.
The new question must not name the entity, in whole or in part.

Always: use no relative dates such as "last year" or "currently", do not copy a sentence of the page into the question,
and do not let the question contain its answer. Give as evidence the page's URL and one line of the page, word for
word, that the new part rests on; and as bridge the entity, relation and value that this line states.`;

/** Writes the first question of a chain, or makes one a hop longer. */
export const extendHopRole = fencedRole<ExtendHopInput, ExtendHopOutput>({
  name: 'research-questions/extend-hop',
  input: ExtendHopInput,
  output: ExtendHopOutput,
  params: { temperature: 0.7, maxOutputTokens: 1024 },
  system: SYSTEM,
  reply:
    '{"question": string, "answer": string, "bridge": {"entity": string, "relation": string, "value": string}, "evidence": {"url": string, "quote": string}}',
  user: ({ question, answer, entity, page, entityNoun }) =>
    fence(hashOf([question, page.url]), {
      subject_is_a: entityNoun,
      question_so_far: question,
      its_answer: answer,
      entity_to_hide: entity,
      page_url: page.url,
      page_title: page.title,
      page: page.text,
    }),
  builtinVersion: 1,
  builtin: async (input, rng) => (await import('../builtin/extend-hop.ts')).extendHop(input, rng),
});
