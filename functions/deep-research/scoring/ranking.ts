import { seededRng } from '#shared/determinism/rng.ts';
import type { RankReportsInput } from '../roles/rank-reports.ts';

/** Ranking the reports of one group (specification section 8). */

export interface Ranked {
  runId: string;
  text: string;
  itemSum: number;
}

/** The reports in an order and under ids that say nothing of their runs; the same ones for the same seed. */
export function shuffledReports(
  groupId: string,
  reports: readonly Ranked[],
  seed: number,
): { reports: RankReportsInput['reports']; runOf: ReadonlyMap<string, string> } {
  const sorted = [...reports].sort((a, b) => (a.runId < b.runId ? -1 : 1));
  const shuffled = seededRng(seed, 'rank-reports', groupId).shuffle(sorted);
  return {
    reports: shuffled.map(({ text, itemSum }, index) => ({ id: String(index + 1), text, itemSum })),
    runOf: new Map(shuffled.map(({ runId }, index) => [String(index + 1), runId])),
  };
}

/** What is wrong with an order, undefined where it is a permutation of the ids. */
export function orderFault(order: readonly string[], ids: Iterable<string>): string | undefined {
  const wanted = new Set(ids);
  const given = new Set(order);
  const unknown = order.find((id) => !wanted.has(id));
  const missing = [...wanted].filter((id) => !given.has(id));
  if (unknown !== undefined) return `There is no report ${unknown}. The ids are ${[...wanted].join(', ')}.`;
  if (missing.length > 0) return `The order lacks ${missing.join(', ')}.`;
  return given.size === order.length ? undefined : 'The order names a report twice.';
}

/** Best first: by item sums, ties by run id. */
export const orderBySums = (reports: readonly Ranked[]): string[] =>
  [...reports]
    .sort((a, b) => b.itemSum - a.itemSum || (a.runId < b.runId ? -1 : 1))
    .map(({ runId }) => runId);
