import type { RubricItem } from '#shared/research/types.ts';
import type { WriteRubricInput, WriteRubricOutput } from '../roles/write-rubric.ts';
import { relationWords } from './wording.ts';

const MOST_FACTS = 6;

/** Factual items whose phrases are heads of facts, one of coverage from headings or relations, and one each of form and sources. */
export function writeRubric({ topic, entityNoun, analysis }: WriteRubricInput): WriteRubricOutput {
  const facts = (analysis?.facts ?? []).slice(0, MOST_FACTS);
  const subjects = facts.map(({ relation }) => relationWords(relation));
  const headings = [
    ...new Set((analysis?.facts ?? []).map(({ path }) => path.at(-1)).filter((path) => path !== undefined)),
  ];
  const coverage = headings.length >= 2 ? headings.slice(0, 4) : subjects.slice(0, 4);
  const item = (
    id: string,
    category: RubricItem['category'],
    statement: string,
    more: Partial<RubricItem> = {},
  ): RubricItem => ({
    id,
    category,
    statement,
    weight: 1,
    mustHave: false,
    ...more,
  });
  return {
    instruction: `Write a short report on the ${entityNoun} ${topic}. Cover ${listed(subjects)}. Use headings, and cite a source for every claim.`,
    rubric: [
      ...facts.map(({ relation, head }, index) =>
        item(`f${index + 1}`, 'factuality', `The report gives the ${relationWords(relation)} as ${head}.`, {
          weight: index === 0 ? 2 : 1,
          mustHave: index === 0,
          phrases: [head],
        }),
      ),
      item('c1', 'compliance', `The report is about ${topic}.`, { phrases: [topic], mustHave: true }),
      item('c2', 'compliance', `The report covers ${listed(coverage.map((part) => part.toLowerCase()))}.`),
      item('w1', 'writing', 'The report is ordered under headings, neither padded nor repetitive.'),
      item('s1', 'citations', 'Every paragraph with a claim cites its source.'),
    ],
  };
}

const listed = (parts: readonly string[]): string =>
  parts.length < 2
    ? (parts[0] ?? 'what its sources say')
    : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)!}`;
