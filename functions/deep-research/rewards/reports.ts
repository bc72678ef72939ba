import type { Citation, RubricItem } from '#shared/research/types.ts';

/** The reward of a report (specification section 10). */

export const REPORT_WEIGHTS = {
  factuality: 0.3,
  compliance: 0.2,
  writing: 0.15,
  citations: 0.15,
  rank: 0.2,
} as const;

/** A must-have item below this caps its category. */
const MUST_HAVE = 0.5;
const CAP = 0.5;
/** Fewer citations than this count as if the missing ones were unverified. */
const FEWEST_CITATIONS = 3;

type Category = RubricItem['category'];

/**
 * The scores of the categories: weighted means of their items, of citations the verified share; capped at 0.5 where a
 * must-have item scores below 0.5. Categories without an item are absent, except citations.
 */
export function categoryScores(
  rubric: readonly RubricItem[],
  scores: ReadonlyMap<string, number>,
  citations: readonly Pick<Citation, 'status'>[],
): Partial<Record<Category, number>> {
  const out: Partial<Record<Category, number>> = {};
  for (const category of ['factuality', 'compliance', 'writing', 'citations'] as const) {
    const items = rubric.filter((item) => item.category === category);
    let score: number;
    if (category === 'citations') {
      const verified = citations.filter(({ status }) => status === 'verified').length;
      score = verified / Math.max(citations.length, FEWEST_CITATIONS);
    } else {
      if (items.length === 0) continue;
      const weight = items.reduce((sum, item) => sum + item.weight, 0);
      score = items.reduce((sum, item) => sum + item.weight * (scores.get(item.id) ?? 0), 0) / weight;
    }
    const missing = items.some(({ id, mustHave }) => mustHave && (scores.get(id) ?? 0) < MUST_HAVE);
    out[category] = missing ? Math.min(CAP, score) : score;
  }
  return out;
}

/** `(n − p) / (n − 1)` for rank p from 1 among n; 1 for a report alone. */
export const rankScore = (p: number, n: number): number => (n === 1 ? 1 : (n - p) / (n - 1));

/**
 * `Σ w_k·s_k + w_rank·(n − p)/(n − 1)`. Where a rubric lacks a category its weight goes to the others in proportion, so
 * that a perfect report always has 1.
 */
export function reportReward(
  scores: Partial<Record<Category, number>>,
  rank: { p: number; n: number },
): { total: number; components: Record<string, number> } {
  const components: Record<string, number> = { ...scores, rank: rankScore(rank.p, rank.n) };
  const { rank: rankWeight, ...weights } = REPORT_WEIGHTS;
  const present = (Object.keys(weights) as Category[]).filter((category) => scores[category] !== undefined);
  const weight = present.reduce((sum, category) => sum + weights[category], 0);
  const all = Object.values(weights).reduce((sum, value) => sum + value, 0);
  const scored = present.reduce((sum, category) => sum + weights[category] * scores[category]!, 0);
  return { total: (scored * all) / (weight || 1) + rankWeight * components.rank!, components };
}
