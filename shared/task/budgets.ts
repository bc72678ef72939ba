import { z } from 'zod';
import type { WorkflowEntry } from './catalog.ts';
import type { Budget } from './jobs.ts';
import { ProblemError } from './problems.ts';

/** Budgets as people give them (DESIGN section 9); inside, money is integer micro-dollars. */

export const BudgetInput = z
  .strictObject({
    usd: z.number().min(0).max(1e9).optional().meta({ description: 'US dollars of model calls.' }),
    tokens: z.int().min(0).optional().meta({ description: 'Tokens in and out together.' }),
    calls: z.int().min(0).optional().meta({ description: 'Attempts at model calls.' }),
    seconds: z.int().min(1).optional().meta({ description: 'Seconds of running time.' }),
  })
  .meta({ description: 'Caps of a job. Without `usd` the limit of the workflow holds.' });

export type BudgetInput = z.infer<typeof BudgetInput>;

export const MICROS_PER_USD = 1_000_000;

export const microsOf = (usd: number): number => Math.round(usd * MICROS_PER_USD);

/**
 * The caps of a job: what was asked, with the workflow's limit where no money was named.
 * @throws ProblemError `budget-above-limit`.
 */
export function capsOf(entry: WorkflowEntry, asked: BudgetInput = {}): Budget {
  const limit = entry.limits.maxBudgetMicroUsd;
  const microUsd = asked.usd === undefined ? limit : microsOf(asked.usd);
  if (microUsd > limit) {
    throw new ProblemError(
      'budget-above-limit',
      `A job of ${entry.name} may cost at most $${limit / MICROS_PER_USD}, not $${asked.usd}.`,
      {
        problems: [
          { pointer: '/budget/usd', code: 'too-large', detail: `The limit is ${limit / MICROS_PER_USD}.` },
        ],
      },
    );
  }
  const { tokens, calls, seconds } = asked;
  return {
    microUsd,
    ...(tokens === undefined ? {} : { tokens }),
    ...(calls === undefined ? {} : { calls }),
    ...(seconds === undefined ? {} : { seconds }),
  };
}

const UNITS = ['microUsd', 'tokens', 'calls', 'seconds'] as const;

/** The caps after a raise: the larger of each. A unit without a cap stays without one. */
export function raisedCaps(current: Budget, asked: Budget): Budget {
  const caps: Budget = {};
  for (const unit of UNITS) {
    const now = current[unit];
    if (now !== undefined) caps[unit] = Math.max(now, asked[unit] ?? 0);
  }
  return caps;
}
