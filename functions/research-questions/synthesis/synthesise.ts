import { seededRng } from '#shared/determinism/rng.ts';
import type { Candidate, Draft, Reject } from '../records.ts';
import { extendHop } from '../builtin/extend-hop.ts';
import { extendedDraft, seedDraft, type Extended } from './extend.ts';
import type { Knowledge } from './knowledge.ts';

/** Chains of questions by the algorithm alone: what the workflow does by way of roles, in one process (benches, tests). */

/** The seeds in a seeded order; entities take turns, so that no entity has all the questions. */
export function orderedSeeds(knowledge: Knowledge, seed: number): Candidate[] {
  const byEntity = new Map<string, Candidate[]>();
  for (const candidate of seededRng(seed, 'seed-facts').shuffle(knowledge.seeds())) {
    const known = byEntity.get(candidate.entity);
    if (known) known.push(candidate);
    else byEntity.set(candidate.entity, [candidate]);
  }
  const turns = [...byEntity.values()];
  const ordered: Candidate[] = [];
  for (let round = 0; turns.some((list) => list.length > round); round++) {
    for (const list of turns) {
      const next = list[round];
      if (next) ordered.push(next);
    }
  }
  return ordered;
}

/** One chain of a number of extensions, or why it ended before. */
export function chain(
  knowledge: Knowledge,
  seedFact: Candidate,
  extensions: number,
  options: { entityNoun: string; seed: number; form?: 'link' | 'attribute' },
): Extended {
  const { entityNoun } = options;
  const page = { url: seedFact.evidence.url, title: '', text: '' };
  const rng = seededRng(options.seed, seedFact.documentId, seedFact.relation);
  const first = extendHop({ hop: 0, page, entityNoun, analysis: { candidates: [seedFact] } }, rng);
  let state = seedDraft(seedFact, first);
  for (let hop = 1; hop <= extensions && 'draft' in state; hop++) {
    const { draft }: { draft: Draft } = state;
    const candidates = (
      draft.entity === undefined ? [] : knowledge.bridges(draft.entity, draft.answer, [draft.relation])
    ).filter(({ form }) => options.form === undefined || form === options.form);
    if (candidates.length === 0) return { reject: noBridge(draft) };
    const { question, answer, entity } = draft;
    const output = extendHop(
      {
        hop,
        question,
        answer,
        ...(entity === undefined ? {} : { entity }),
        page,
        entityNoun,
        analysis: { candidates },
      },
      rng,
    );
    state = extendedDraft(draft, candidates, output);
  }
  return state;
}

export const noBridge = (draft: Draft): Reject => ({
  id: draft.id,
  stage: 'extend',
  code: 'no_bridge',
  detail: 'No page describes the entity that it names, by that alone.',
  question: draft.question,
});
