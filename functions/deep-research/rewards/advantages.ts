import { sha256Hex } from '#shared/determinism/hash.ts';
import type { GroupRow, RunStatus } from '../records.ts';

/** From rewards to advantages (specification section 10): filter, balance, statistics. Pure. */

export type DropReason =
  'truncated' | 'bad_format' | 'steered' | 'unscored' | 'no_steps' | 'too_few' | 'zero_variance' | 'balance';

/** A rollout as its group sees it. */
export interface Sample {
  runId: string;
  kind: 'short' | 'report' | 'math' | 'code';
  status: RunStatus;
  /** Steps that count as samples: of a partial rollout the new ones. */
  T: number;
  /** Steps of which no call or answer could be read. */
  malformed: number;
  /** Tokens of a short answer. */
  answerTokens?: number;
  citations: number;
  steered: boolean;
  reward?: number;
}

/** Longer short answers are no short answers. */
export const MOST_ANSWER_TOKENS = 200;
const MOST_MALFORMED = 0.2;
const LEAST_STD = 1e-6;
/** How much larger the larger side of a group may be. */
const MOST_IMBALANCE = 3;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean and population standard deviation. */
export function statistics(values: readonly number[]): { mean: number; std: number } {
  const centre = mean(values);
  return { mean: centre, std: Math.sqrt(mean(values.map((value) => (value - centre) ** 2))) };
}

/** Why a run is no sample of its group, judged by itself. */
export function formFault(sample: Sample): DropReason | undefined {
  if (sample.status !== 'answered') return 'truncated';
  const short = sample.kind === 'short' || sample.kind === 'math';
  if (
    (short && (sample.answerTokens ?? 0) > MOST_ANSWER_TOKENS) ||
    (sample.kind === 'report' && sample.citations === 0) ||
    (sample.T > 0 && sample.malformed / sample.T > MOST_MALFORMED)
  ) {
    return 'bad_format';
  }
  if (sample.steered) return 'steered';
  return sample.T === 0 ? 'no_steps' : undefined;
}

/** The order in which runs are dropped from a side that is too large, and partial rollouts begin. */
export const lotOf = (seed: number, groupId: string, runId: string): string =>
  sha256Hex(`${seed}:${groupId}:${runId}`);

/**
 * The rows of one group, in the order of its samples. Kept runs have the advantage `(r − mean) / (std · T)` over the
 * kept ones, so that the steps of a run sum to its z-score.
 */
export function groupRows(groupId: string, samples: readonly Sample[], seed: number): GroupRow[] {
  const reasons = new Map<string, DropReason>();
  for (const sample of samples) {
    const reason = formFault(sample) ?? (sample.reward === undefined ? 'unscored' : undefined);
    if (reason) reasons.set(sample.runId, reason);
  }
  const kept = (): Sample[] => samples.filter(({ runId }) => !reasons.has(runId));
  const drop = (runs: readonly Sample[], reason: DropReason): void => {
    for (const { runId } of runs) reasons.set(runId, reason);
  };
  const rewards = (): number[] => kept().map(({ reward }) => reward!);
  if (kept().length < 2) drop(kept(), 'too_few');
  else if (statistics(rewards()).std < LEAST_STD) drop(kept(), 'zero_variance');
  else drop(surplus(groupId, kept(), seed), 'balance');

  const { mean: centre, std } = kept().length > 0 ? statistics(rewards()) : { mean: 0, std: 1 };
  return samples.map(({ runId, T, reward }) => {
    const dropReason = reasons.get(runId);
    return {
      groupId,
      runId,
      T,
      reward: reward ?? 0,
      kept: dropReason === undefined,
      ...(dropReason === undefined ? { advantage: (reward! - centre) / (std * T) } : { dropReason }),
    };
  });
}

/** What has to go so that neither side is more than three times the other. */
function surplus(groupId: string, samples: readonly Sample[], seed: number): Sample[] {
  const centre = mean(samples.map(({ reward }) => reward!));
  const isPositive = ({ kind, reward }: Sample): boolean =>
    kind === 'report' ? reward! > centre : reward! >= 0.5;
  const positive = samples.filter(isPositive);
  const negative = samples.filter((sample) => !isPositive(sample));
  const [smaller, larger] = positive.length < negative.length ? [positive, negative] : [negative, positive];
  if (smaller.length === 0) return [];
  const lot = new Map(larger.map(({ runId }) => [runId, lotOf(seed, groupId, runId)]));
  return [...larger]
    .sort((a, b) => (lot.get(a.runId)! < lot.get(b.runId)! ? -1 : 1))
    .slice(0, Math.max(0, larger.length - MOST_IMBALANCE * smaller.length));
}
