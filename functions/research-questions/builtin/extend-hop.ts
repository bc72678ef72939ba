import type { Rng } from '#shared/determinism/rng.ts';
import type { ExtendHopInput, ExtendHopOutput } from '../roles/extend-hop.ts';
import { description, FORMS, seedQuestion, withDescription } from './wording.ts';

/**
 * Writes a question for the first fact on offer, or replaces the entity of one by what a bridge says of it: a link
 * where there is one, else an attribute. Which wording is drawn.
 */
export function extendHop(
  { question, answer, entity, entityNoun, analysis }: ExtendHopInput,
  rng: Rng,
): ExtendHopOutput {
  const candidates = analysis?.candidates ?? [];
  const none = {
    question: '',
    answer: '',
    bridge: { entity: '', relation: '', value: '' },
    evidence: { url: '', quote: '' },
  };
  if (candidates.length === 0) return none;
  const links = candidates.filter(({ form }) => form === 'link');
  const chosen = question === undefined ? candidates[0]! : rng.pick(links.length > 0 ? links : candidates);
  const form = rng.below(FORMS);
  const { relation, value, evidence } = chosen;
  const bridge = { entity: chosen.entity, relation, value };
  if (question === undefined)
    return { question: seedQuestion(chosen, form), answer: value, bridge, evidence };
  const extended = withDescription(question, entity ?? '', description(chosen, entityNoun, form));
  return extended === undefined ? none : { question: extended, answer: answer ?? '', bridge, evidence };
}
