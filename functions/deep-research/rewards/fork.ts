import type { GroupRow } from '../records.ts';
import { lotOf } from './advantages.ts';

/** Shorter runs have no middle to start from. */
export const LEAST_STEPS = 4;

/**
 * Where partial rollouts begin (specification section 10): of the kept runs with at least four steps those of the lowest
 * lot, each after half of its steps.
 */
export function forkPoints(
  rows: readonly GroupRow[],
  perQuestion: number,
  seed: number,
): { runId: string; step: number }[] {
  return rows
    .filter(({ kept, T }) => kept && T >= LEAST_STEPS)
    .map((row) => ({ row, lot: lotOf(seed, row.groupId, row.runId) }))
    .sort((a, b) => (a.lot < b.lot ? -1 : 1))
    .slice(0, perQuestion)
    .map(({ row }) => ({ runId: row.runId, step: Math.floor(row.T / 2) }));
}
