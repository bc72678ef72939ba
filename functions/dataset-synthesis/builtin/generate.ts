import { seededRng } from '#shared/determinism/rng.ts';
import { stemsOf } from '#shared/text/stem.ts';
import { findContextFault } from '../gates/context.ts';
import { checkForm } from '../gates/form.ts';
import { findLeak } from '../gates/leakage.ts';
import { findPii } from '../gates/pii.ts';
import { PERSONAS } from '../lexicon/index.ts';
import { domainNamed, type Domain, type GenerateInput, type GenerateOutput } from '../records.ts';
import type { Fact } from './fact.ts';
import { factsOfDocument } from './facts.ts';

/** The builtin generate (specification section 6): persona k gets the best unused fact for it, or declines. */

const DECLINED: GenerateOutput = {
  thought: 'No further fact of this document makes a question.',
  declined: true,
  question: '',
  answer: '',
  answerType: 'phrase',
  aliases: [],
  evidence: '',
};

/** Whether a fact would pass the gates before the judge. */
function sound(fact: Fact, domain: Domain, allow: GenerateInput['answerTypes']): boolean {
  const form = checkForm({ ...fact, domain }, allow);
  if (!form.pass) return false;
  const { leak, suspect } = findLeak({ ...fact, answerType: form.answerType, domain });
  if (leak || suspect || findContextFault(fact.question)) return false;
  return findPii(`${fact.question} ${fact.answer}`).length === 0;
}

const triggersOf = (persona: string): Set<string> => {
  for (const list of Object.values(PERSONAS)) {
    const known = list.find((candidate) => candidate.name === persona);
    if (known) return new Set(known.triggers.flatMap(stemsOf));
  }
  return new Set(stemsOf(persona));
};

/** The facts that personas 0..index take in turn; the last is persona `index`'s. */
function choose(facts: Fact[], input: GenerateInput): Fact | undefined {
  const used = new Set<string>();
  const personas =
    input.personas.length > input.personaIndex
      ? input.personas
      : [...Array<string>(input.personaIndex).fill(''), input.persona];
  let chosen: Fact | undefined;
  for (let index = 0; index <= input.personaIndex; index++) {
    const rng = seededRng(input.docId, index, 'generate');
    const triggers = triggersOf(personas[index]!);
    const rated = facts
      .filter((fact) => !used.has(fact.group))
      .map((fact) => {
        const interest = stemsOf(fact.question).some((word) => triggers.has(word)) ? 1 : 0;
        return { fact, rank: fact.score + interest, tie: rng.uint32() };
      })
      .sort((a, b) => b.rank - a.rank || a.tie - b.tie);
    chosen = rated[0]?.fact;
    if (!chosen) return undefined;
    used.add(chosen.group);
  }
  return chosen;
}

export function generate(input: GenerateInput): GenerateOutput {
  const domain = domainNamed(input.domain) ?? 'Other';
  const facts = factsOfDocument(input.title, input.text).filter((fact) =>
    sound(fact, domain, input.answerTypes),
  );
  const fact = choose(facts, input);
  if (!fact) return DECLINED;
  return {
    thought: `A ${fact.family} fact that a ${input.persona} may ask for.`,
    declined: false,
    question: fact.question,
    answer: fact.answer,
    answerType: fact.answerType,
    aliases: fact.aliases.slice(0, 5),
    evidence: fact.evidence,
  };
}
