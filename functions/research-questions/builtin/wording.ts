import type { Candidate } from '../records.ts';

/** The sentences of questions made without a model: three a form. The agent's own policy never reads this file. */

const QUESTIONS: ((relation: string, entity: string) => string)[] = [
  (relation, entity) => `What is the ${relation} of ${entity}?`,
  (relation, entity) => `What is ${possessive(entity)} ${relation}?`,
  (relation, entity) => `For ${entity}, what is the ${relation}?`,
];

const ATTRIBUTES: ((noun: string, relation: string, value: string) => string)[] = [
  (noun, relation, value) => `the ${noun} whose ${relation} is ${value}`,
  (noun, relation, value) => `the ${noun} with the ${relation} ${value}`,
  (noun, relation, value) => `the ${noun} that has ${value} as its ${relation}`,
];

const LINKS: ((noun: string, relation: string, entity: string) => string)[] = [
  (noun, relation, entity) => `the ${noun} that is the ${relation} of ${entity}`,
  (noun, relation, entity) => `the ${noun} given as ${possessive(entity)} ${relation}`,
  (noun, relation, entity) => `the ${noun} named as the ${relation} of ${entity}`,
];

export const FORMS = 3;

const possessive = (name: string): string => (name.endsWith('s') ? `${name}'` : `${name}'s`);

/** A relation as words of a sentence: no dashes, no parentheses, lower case but for abbreviations and names. */
export function relationWords(relation: string): string {
  const [heading, ...rest] = relation.split(/\s+[-–—]\s+/);
  // `Health expenditure - health expenditure` says one thing twice.
  const key = rest.join(' ');
  const repeated = heading !== undefined && key.toLowerCase().startsWith(heading.toLowerCase());
  return (repeated ? key : relation)
    .replace(/\([^)]*\)/g, ' ')
    .replace(/\s+[-–—]\s+|[:/]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .split(' ')
    .map((word) => (/^\p{Lu}\p{Ll}/u.test(word) ? word.toLowerCase() : word))
    .join(' ');
}

/** A question for one fact. */
export const seedQuestion = (seed: Candidate, form: number): string =>
  QUESTIONS[form % FORMS]!(relationWords(seed.relation), seed.entity);

/** A description of the entity that a bridge leads to. */
export const description = (bridge: Candidate, noun: string, form: number): string =>
  bridge.form === 'link'
    ? LINKS[form % FORMS]!(noun, relationWords(bridge.relation), bridge.entity)
    : ATTRIBUTES[form % FORMS]!(noun, relationWords(bridge.relation), bridge.value);

/** The question with an entity's name replaced by its description; undefined where it does not name it. */
export function withDescription(question: string, entity: string, phrase: string): string | undefined {
  const at = question.indexOf(entity);
  if (at < 0) return undefined;
  const before = question.slice(0, at);
  const after = question.slice(at + entity.length);
  // A description has no possessive: "X's R" becomes "the R of the …".
  const owned = /^(?:'s|') (.+?)\?$/.exec(after);
  if (owned) return `${before.replace(/\s+$/, '')} the ${owned[1]!} of ${phrase}?`;
  const given = /^(?:'s|') (.+)$/.exec(after);
  return given ? `${before}the ${given[1]!} of ${phrase}` : `${before}${phrase}${after}`;
}
