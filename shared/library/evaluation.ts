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

/** A measure of the first 1, 5 and 10 tools found. */
export interface AtRanks {
  at1: number;
  at5: number;
  at10: number;
}

export interface RetrievalScores {
  questions: number;
  /** Relevant tools a question. */
  relevant: { mean: number; most: number };
  /** Mean share of the relevant tools among the first 1, 5 and 10. */
  recall: AtRanks;
  /** The most that recall could be: of n relevant tools, k places hold no more than k. */
  bound: AtRanks;
  /** Share of the questions with any relevant tool among the first 1, 5 and 10 (hit@k, success@k). */
  found: AtRanks;
  /** What `found` would be of tools drawn at random. */
  chance: AtRanks;
  /** Mean of 1 / rank of the first relevant tool; 0 where it is not among the first 20. */
  mrr: number;
}

type Ranked = Pick<RetrievalScores, 'recall' | 'bound' | 'found' | 'chance' | 'mrr'>;

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
  const all: Ranked[] = [];
  // Several at a time keep the encoder's threads busy; sums are taken in order.
  const WIDTH = 16;
  for (let from = 0; from < questions.length; from += WIDTH) {
    const part = questions.slice(from, from + WIDTH);
    const found = await Promise.all(part.map(({ question }) => search(maskNumbers(question))));
    all.push(...part.map(({ relevant }, place) => scoresOf(found[place]!, relevant, index.rows.length)));
  }
  const mean = (of: (one: Ranked) => number): number =>
    all.length === 0 ? 0 : all.reduce((sum, one) => sum + of(one), 0) / all.length;
  const means = (of: (one: Ranked) => AtRanks): AtRanks => ({
    at1: mean((one) => of(one).at1),
    at5: mean((one) => of(one).at5),
    at10: mean((one) => of(one).at10),
  });
  const sizes = questions.map(({ relevant }) => relevant.size);
  return {
    questions: all.length,
    relevant: {
      mean: sizes.length === 0 ? 0 : sizes.reduce((sum, size) => sum + size, 0) / sizes.length,
      most: Math.max(0, ...sizes),
    },
    recall: means(({ recall }) => recall),
    bound: means(({ bound }) => bound),
    found: means(({ found }) => found),
    chance: means(({ chance }) => chance),
    mrr: mean(({ mrr }) => mrr),
  };
}

const atRanks = (of: (k: number) => number): AtRanks => ({ at1: of(1), at5: of(5), at10: of(10) });

/** One question's scores. @param tools in the library. */
function scoresOf(ids: readonly string[], relevant: ReadonlySet<string>, tools: number): Ranked {
  const rank = ids.findIndex((id) => relevant.has(id));
  return {
    recall: atRanks((k) => ids.slice(0, k).filter((id) => relevant.has(id)).length / relevant.size),
    bound: atRanks((k) => Math.min(k, relevant.size) / relevant.size),
    found: atRanks((k) => (rank >= 0 && rank < k ? 1 : 0)),
    chance: atRanks((k) => chanceOf(relevant.size, tools, k)),
    mrr: rank < 0 ? 0 : 1 / (rank + 1),
  };
}

/** Chance that of k tools drawn from all without repetition any is relevant. */
function chanceOf(relevant: number, tools: number, k: number): number {
  let none = 1;
  for (let n = 0; n < k && none > 0; n++) none *= Math.max(0, (tools - relevant - n) / (tools - n));
  return 1 - none;
}
