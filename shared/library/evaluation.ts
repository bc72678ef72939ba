import type { Encoder } from '#shared/text/encoder.ts';
import { MAX_K, searchTools, type SearchIndex, type SearchMode } from './search.ts';

/** How well a library's search finds the tool that answers a question (section 10, Evaluation). */

const NUMBER_WORDS =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half third quarter dozen twice thrice double triple';
const NUMBER = new RegExp(
  `[$€£]?\\d[\\d,]*(?:\\.\\d+)?(?:/\\d+)?%?|\\b(?:${NUMBER_WORDS.split(' ').join('|')})s?\\b`,
  'giu',
);

/** A question without its numbers: what a library must be found by that was built from other numbers. */
export const maskNumbers = (question: string): string => question.replace(NUMBER, '#');

export interface RetrievalQuestion {
  question: string;
  /** Ids of the tools that answer it; questions that no tool answers are left out by the caller. */
  relevant: ReadonlySet<string>;
}

export interface RetrievalScores {
  questions: number;
  /** Mean share of the relevant tools among the first 1, 5 and 10. */
  recall: { at1: number; at5: number; at10: number };
  /** Share of the questions with any relevant tool among the first 1, 5 and 10: where many answer, recall is low by nature. */
  found: { at1: number; at5: number; at10: number };
  /** Mean of 1 / rank of the first relevant tool; 0 where it is not among the first 20. */
  mrr: number;
}

/** Searches a library for every question, numbers masked. */
export async function evaluateRetrieval(
  index: SearchIndex,
  questions: readonly RetrievalQuestion[],
  encoder: Encoder,
  options: { mode?: SearchMode; search?: (question: string) => Promise<string[]> } = {},
): Promise<RetrievalScores> {
  const { mode = 'hybrid' } = options;
  const search =
    options.search ??
    (async (query: string): Promise<string[]> =>
      (await searchTools(index, { query, k: MAX_K, mode }, encoder)).map(({ toolId }) => toolId));
  const sums = { at1: 0, at5: 0, at10: 0, found1: 0, found5: 0, found10: 0, mrr: 0 };
  // Several at a time keep the encoder's threads busy; sums are taken in order.
  const WIDTH = 16;
  for (let from = 0; from < questions.length; from += WIDTH) {
    const part = questions.slice(from, from + WIDTH);
    const found = await Promise.all(part.map(({ question }) => search(maskNumbers(question))));
    part.forEach(({ relevant }, place) => {
      const ids = found[place]!;
      const share = (k: number): number =>
        ids.slice(0, k).filter((id) => relevant.has(id)).length / relevant.size;
      const rank = ids.findIndex((id) => relevant.has(id));
      sums.at1 += share(1);
      sums.at5 += share(5);
      sums.at10 += share(10);
      if (rank === 0) sums.found1++;
      if (rank >= 0 && rank < 5) sums.found5++;
      if (rank >= 0 && rank < 10) sums.found10++;
      sums.mrr += rank < 0 ? 0 : 1 / (rank + 1);
    });
  }
  const mean = (sum: number): number => (questions.length === 0 ? 0 : sum / questions.length);
  return {
    questions: questions.length,
    recall: { at1: mean(sums.at1), at5: mean(sums.at5), at10: mean(sums.at10) },
    found: { at1: mean(sums.found1), at5: mean(sums.found5), at10: mean(sums.found10) },
    mrr: mean(sums.mrr),
  };
}
