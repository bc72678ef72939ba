import type { QuestionsConfig } from '../config.ts';
import { targetHops } from '../config.ts';
import type { Draft, RejectCode } from '../records.ts';

/** What becomes of a valid question (specification section 7): accepted, made a hop longer, or rejected. */
export type Verdict = { to: 'accept' } | { to: 'open' } | { to: 'reject'; code: RejectCode; detail: string };

export const hopsOf = (draft: Draft): number => draft.extensions + 1;

/** @param hardness 1 − solved/solverRuns; undefined where no solver ran. */
export function verdictOn(
  draft: Draft,
  hardness: number | undefined,
  config: Pick<QuestionsConfig, 'input' | 'band'>,
  lastRound: boolean,
): Verdict {
  const hops = hopsOf(draft);
  const { min } = config.input.hops;
  if (hardness === undefined) {
    if (hops >= targetHops(config, draft.id)) return { to: 'accept' };
    if (!lastRound) return { to: 'open' };
    return hops >= min ? { to: 'accept' } : tooShort(hops, min);
  }
  if (hardness > config.band.max) {
    return { to: 'reject', code: 'too_hard', detail: `Hardness ${hardness} is above ${config.band.max}.` };
  }
  if (hardness >= config.band.min && hops >= min) return { to: 'accept' };
  if (!lastRound) return { to: 'open' };
  if (hops < min) return tooShort(hops, min);
  return { to: 'reject', code: 'too_easy', detail: `Hardness ${hardness} is below ${config.band.min}.` };
}

const tooShort = (hops: number, min: number): Verdict => ({
  to: 'reject',
  code: 'too_short',
  detail: `It needs ${hops} facts, at least ${min} are wanted.`,
});
