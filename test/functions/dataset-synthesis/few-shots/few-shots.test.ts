import { describe, expect, it } from 'vitest';
import {
  CHECK_EXAMPLES,
  examplesFor,
  FILTER_EXAMPLES,
  GENERATE_EXAMPLES,
  IDENTIFY_EXAMPLES,
} from '#functions/dataset-synthesis/few-shots/index.ts';
import { parseDomain, parsePersonas, runPairGates } from '#functions/dataset-synthesis/gates/index.ts';
import {
  CheckOutputSchema,
  DOMAINS,
  FilterOutputSchema,
  IdentifyOutputSchema,
  SynthesisInputSchema,
  verdictOf,
} from '#functions/dataset-synthesis/records.ts';
import { candidate, documentOf } from '../gates/candidate.ts';

const config = SynthesisInputSchema.parse({ sources: [{ uri: 'a.jsonl' }] });

describe('the worked examples', () => {
  const all = DOMAINS.flatMap((domain) =>
    GENERATE_EXAMPLES[domain].map((example, index) => ({ domain, index, example })),
  );

  it('are six a domain', () => {
    expect(all).toHaveLength(60);
    for (const domain of DOMAINS)
      expect(new Set(GENERATE_EXAMPLES[domain].map((example) => example.question)).size).toBe(6);
  });

  it.each(all)('$domain $index passes the gates as it says', ({ domain, example }) => {
    expect(example.text).toContain(example.evidence);
    const verdict = runPairGates(
      candidate({ ...example, domain }),
      documentOf(example.text, example.title),
      config,
    );
    expect(verdict).toMatchObject({ pass: true, flags: [] });
    if (verdict.pass) expect(verdict.candidate.answerType).toBe(example.answerType);
  });

  it('of the other roles have the form that is asked for', () => {
    expect(
      FILTER_EXAMPLES.map((example) => verdictOf(FilterOutputSchema.parse(example.output).qualified)),
    ).toEqual([true, false]);
    expect(IDENTIFY_EXAMPLES).toHaveLength(2);
    for (const { output } of IDENTIFY_EXAMPLES) {
      expect(parseDomain(IdentifyOutputSchema.parse(output).domain)).toBeDefined();
      expect(parsePersonas(output.personas, 3)).toEqual(output.personas);
    }
    const verdicts = CHECK_EXAMPLES.map(({ output }) => {
      const { answerCorrect, leaksAnswer, hasContext } = CheckOutputSchema.parse(output);
      return [answerCorrect, leaksAnswer, hasContext];
    });
    expect(verdicts).toEqual([
      [true, false, true],
      [false, false, true],
      [true, true, true],
      [true, false, false],
    ]);
  });

  it('[dataset-synthesis 10] are drawn by seed, domain and variant, without replacement', () => {
    expect(examplesFor('Math', 3, 4, 42)).toEqual(examplesFor('Math', 3, 4, 42));
    expect(examplesFor('Math', 0, 0, 42)).toEqual([]);
    const six = examplesFor('Math', 1, 6, 42);
    expect(new Set(six.map((example) => example.question)).size).toBe(6);
    const draws = new Set(
      Array.from({ length: 8 }, (_, variant) => JSON.stringify(examplesFor('Math', variant, 2, 42))),
    );
    expect(draws.size).toBeGreaterThan(3);
  });
});
