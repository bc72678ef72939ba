import { normaliseText } from '#shared/research/facts/normalise.ts';
import type { Draft } from '../records.ts';
import { holds } from './entities.ts';
import { hasQuote } from './gate.ts';
import type { Knowledge } from './knowledge.ts';

/** What a scan of the corpus says of a question (specification section 9): one answer, quotes found, nothing given away. */
export interface Scan {
  unique: boolean;
  derivable: boolean;
  leaks: string[];
  reasons: string[];
}

export function scan(
  draft: Draft,
  knowledge: Knowledge,
  textOf: (documentId: string) => string | undefined,
): Scan {
  const reasons: string[] = [];
  const say = (reason: string): void => void reasons.push(reason.slice(0, 300));
  let unique = true;
  for (const { form, entity, relation, value } of draft.chain) {
    if (form === 'attribute') {
      const entities = knowledge.entitiesWith(relation, value);
      if (entities.length !== 1) {
        unique = false;
        say(`${relation} ${value} fits ${entities.length} entities.`);
      }
    } else {
      const heads = new Set(knowledge.headsOf(entity, relation).map(normaliseText));
      if (heads.size !== 1) {
        unique = false;
        say(`${entity} has ${heads.size} values of ${relation}.`);
      }
    }
  }
  let derivable = true;
  for (const { documentId, evidence } of draft.chain) {
    if (!hasQuote(textOf(documentId) ?? '', evidence.quote)) {
      derivable = false;
      say(`The quote "${evidence.quote}" is not on its page.`);
    }
  }
  const leaks = [draft.answer, ...draft.hidden].filter((name) => holds(draft.question, name));
  return { unique, derivable, leaks, reasons };
}
