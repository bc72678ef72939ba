import { describe, expect, it } from 'vitest';
import { costOf } from '#shared/models/ledger/cost.ts';

const price = (inputPerMTok: number, outputPerMTok: number, cachedInputPerMTok?: number) => ({
  from: '2026-01-01',
  inputPerMTok,
  outputPerMTok,
  ...(cachedInputPerMTok === undefined ? {} : { cachedInputPerMTok }),
});

describe('costOf', () => {
  it('[model-inference 3] gives the three costs of section 7', () => {
    expect(costOf({ input: 2000, cached: 1500, output: 4000, reasoning: 3000 }, price(1.25, 10, 0.125))).toBe(
      40_813,
    );
    expect(costOf({ input: 7, output: 3 }, price(0.15, 0.6))).toBe(3);
    expect(costOf({ input: 1_000_000, output: 500_000 }, price(1.1, 4.4))).toBe(3_300_000);
  });

  it('charges cached tokens as others where there is no price for them, and never more than were sent', () => {
    expect(costOf({ input: 1000, cached: 1000, output: 0 }, price(2, 0))).toBe(2000);
    expect(costOf({ input: 10, cached: 1000, output: 0 }, price(1, 1, 0))).toBe(0);
  });
});
