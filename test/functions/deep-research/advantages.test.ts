import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { groupRows, type Sample } from '#functions/deep-research/rewards/advantages.ts';
import { categoryScores, reportReward } from '#functions/deep-research/rewards/reports.ts';

const run = (n: number, reward: number | undefined, T: number, patch: Partial<Sample> = {}): Sample => ({
  runId: `r-${n}`,
  kind: 'short',
  status: 'answered',
  T,
  malformed: 0,
  answerTokens: 3,
  citations: 1,
  steered: false,
  ...(reward === undefined ? {} : { reward }),
  ...patch,
});
const group = (rewards: number[], steps: number[]): Sample[] =>
  rewards.map((reward, n) => run(n, reward, steps[n] ?? 4));
const close = (values: (number | undefined)[], wanted: number[]): void => {
  expect(values).toHaveLength(wanted.length);
  values.forEach((value, index) => expect(Math.abs(value! - wanted[index]!)).toBeLessThan(1e-6));
};

describe('advantages', () => {
  it("[deep-research 1] gives section 10's examples to 1e-6", () => {
    const first = groupRows('g', group([1, 0, 0, 1], [4, 20, 5, 10]), 0);
    close(first.map(({ advantage }) => advantage), [0.25, -0.05, -0.2, 0.1]); // prettier-ignore
    const second = groupRows('g', group([1, 0, 0, 0], [5, 10, 50, 5]), 0);
    close(second.map(({ advantage }) => advantage), [0.34641, -0.057735, -0.011547, -0.11547]); // prettier-ignore
    const { total } = reportReward(
      { factuality: 0.9, compliance: 0.8, writing: 0.7, citations: 0.6 },
      { p: 2, n: 4 },
    );
    close([total], [0.758333]);
  });

  it('[deep-research 2] drops groups without variance, and runs without steps', () => {
    for (const rewards of [
      [1, 1, 1],
      [0, 0, 0],
    ]) {
      const rows = groupRows('g', group(rewards, [3, 4, 5]), 0);
      expect(rows.map(({ kept, dropReason }) => [kept, dropReason])).toEqual(
        rewards.map(() => [false, 'zero_variance']),
      );
      expect(rows.some((row) => 'advantage' in row)).toBe(false);
    }
    const rows = groupRows('g', group([1, 0, 1], [0, 2, 2]), 0);
    expect(rows[0]).toMatchObject({ kept: false, dropReason: 'no_steps' });
    expect(rows.slice(1).every(({ kept }) => kept)).toBe(true);
  });

  it('[deep-research 3] takes statistics over the kept runs and lists the truncated one', () => {
    const rows = groupRows('g', [...group([1, 0, 0], [1, 1, 1]), run(3, 1, 9, { status: 'forced' })], 0);
    expect(rows[3]).toMatchObject({ runId: 'r-3', kept: false, dropReason: 'truncated' });
    const std = 0.471405;
    close(
      rows.slice(0, 3).map(({ advantage }) => advantage! * std),
      [1 - 0.333333, -0.333333, -0.333333],
    );
  });

  it('[deep-research 4] balances: of 1 and 7 four negatives go, the same ones for a seed; 6 and 2 stay', () => {
    const samples = group([0, 0, 0, 1, 0, 0, 0, 0], []);
    const dropped = (seed: number): string[] =>
      groupRows('g', samples, seed)
        .filter(({ dropReason }) => dropReason === 'balance')
        .map(({ runId }) => runId);
    expect(dropped(7)).toHaveLength(4);
    expect(dropped(7)).not.toContain('r-3');
    expect(dropped(7)).toEqual(dropped(7));
    expect(new Set(Array.from({ length: 20 }, (_, seed) => dropped(seed).join())).size).toBeGreaterThan(1);
    const even = groupRows('g', group([1, 1, 1, 1, 1, 1, 0, 0], []), 7);
    expect(even.every(({ kept }) => kept)).toBe(true);
  });

  it('says why each run is no sample', () => {
    const reasons = (...samples: Sample[]): (string | undefined)[] =>
      groupRows('g', samples, 0).map(({ dropReason }) => dropReason);
    expect(
      reasons(
        run(0, 1, 4),
        run(1, 0, 4),
        run(2, 1, 4, { answerTokens: 201 }),
        run(3, 1, 10, { malformed: 3 }),
        run(4, 1, 10, { malformed: 2 }),
        run(5, 1, 4, { steered: true }),
        run(6, undefined, 4),
        run(7, 1, 4, { status: 'failed' }),
      ),
    ).toEqual([
      undefined,
      undefined,
      'bad_format',
      'bad_format',
      undefined,
      'steered',
      'unscored',
      'truncated',
    ]);
    expect(
      reasons(run(0, 0.5, 4, { kind: 'report', citations: 0 }), run(1, 0.5, 4, { kind: 'report' })),
    ).toEqual(['bad_format', 'too_few']);
    expect(reasons(run(0, 1, 4, { kind: 'code', answerTokens: 900 }), run(1, 0, 4))).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('steps of a run sum to its z-score, and kept advantages of equal length to nothing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 400 })), {
          maxLength: 64,
        }),
        fc.integer({ min: 0, max: 99 }),
        (pairs, seed) => {
          const rows = groupRows('g', pairs.map(([reward, T], n) => run(n, reward, T)), seed); // prettier-ignore
          const kept = rows.filter((row) => row.kept);
          if (kept.length === 0) return;
          const sum = kept.reduce((total, { advantage, T }) => total + advantage! * T, 0);
          expect(Math.abs(sum)).toBeLessThan(1e-6 * kept.length * 1e3);
          const squares = kept.reduce((total, { advantage, T }) => total + (advantage! * T) ** 2, 0);
          expect(squares / kept.length).toBeCloseTo(1, 4);
        },
      ),
    );
  });
});

describe('rewards of reports', () => {
  const item = (
    id: string,
    category: 'factuality' | 'writing' | 'citations',
    weight = 1,
    mustHave = false,
  ) => ({
    id,
    category,
    statement: id,
    weight,
    mustHave,
  });

  it('weighs items, caps a missed must-have, and counts at least three citations', () => {
    const rubric = [item('a', 'factuality', 3), item('b', 'factuality', 1, true), item('c', 'writing')];
    const citations = [{ status: 'verified' as const }, { status: 'quote_not_found' as const }];
    const scores = (b: number) => categoryScores(rubric, new Map([['a', 1], ['b', b], ['c', 0.5]]), citations); // prettier-ignore
    expect(scores(1)).toEqual({ factuality: 1, writing: 0.5, citations: 1 / 3 });
    expect(scores(0.4).factuality).toBe(0.5);
    expect(scores(0.5).factuality).toBeCloseTo(0.875);
  });

  it('gives a perfect report 1, whatever its rubric lacks', () => {
    const perfect = { factuality: 1, citations: 1 };
    expect(reportReward(perfect, { p: 1, n: 1 }).total).toBeCloseTo(1, 12);
    expect(reportReward(perfect, { p: 4, n: 4 }).total).toBeCloseTo(0.8, 12);
  });
});
