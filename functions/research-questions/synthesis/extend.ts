import { corpusIdIn } from '#shared/research/corpus/url.ts';
import { shortHash } from '#shared/research/ids.ts';
import type { Candidate, Draft, Reject } from '../records.ts';
import type { ExtendHopOutput } from '../roles/extend-hop.ts';
import { textFault } from './gate.ts';

/** Drafts from what extend-hop answered. */

export const draftId = (seed: Candidate): string =>
  `d-${shortHash(seed.documentId, seed.relation, seed.value)}`;

export type Extended = { draft: Draft } | { reject: Reject };

/** The first draft of a chain. */
export function seedDraft(seed: Candidate, output: ExtendHopOutput): Extended {
  const draft: Draft = {
    id: draftId(seed),
    seedDocument: seed.documentId,
    extensions: 0,
    question: output.question.trim(),
    answer: output.answer.trim(),
    relation: output.bridge.relation || seed.relation,
    entity: seed.entity,
    hidden: [],
    documents: [seed.documentId],
    evidence: [output.evidence],
    chain: [{ ...seed, value: output.answer.trim(), evidence: output.evidence }],
  };
  return checked(draft);
}

/** A draft made one hop longer: the entity is hidden, and a link's own entity is what the next hop may hide. */
export function extendedDraft(
  draft: Draft,
  candidates: readonly Candidate[],
  output: ExtendHopOutput,
): Extended {
  const { entity, relation } = output.bridge;
  const chosen = candidates.find(
    (candidate) => candidate.entity === entity && candidate.relation === relation,
  );
  const documentId = corpusIdIn(output.evidence.url) ?? chosen?.documentId ?? draft.seedDocument;
  const isLink = chosen ? chosen.form === 'link' : entity !== '' && entity !== draft.entity;
  const { entity: hidden, ...rest } = draft;
  return checked({
    ...rest,
    extensions: draft.extensions + 1,
    question: output.question.trim(),
    ...(isLink ? { entity } : {}),
    hidden: [...draft.hidden, ...(hidden === undefined ? [] : [hidden])],
    documents: [...new Set([...draft.documents, documentId])],
    evidence: [...draft.evidence, output.evidence],
    chain: [
      ...draft.chain,
      { form: isLink ? 'link' : 'attribute', ...output.bridge, documentId, evidence: output.evidence },
    ],
  });
}

function checked(draft: Draft): Extended {
  const fault = textFault(draft);
  if (!fault) return { draft };
  return { reject: { id: draft.id, stage: 'extend', ...fault, question: draft.question } };
}
