import { expect, test } from 'vitest';
import { growthProblem } from '#local/host/bundle-record.ts';

const record = { 'a.ts': 1000 };
const problemOf = (entry: string, coldBytes: number): string | undefined =>
  growthProblem({ entry, coldBytes }, record);

test('a bundle may grow by a tenth; more, or no record, must be accepted', () => {
  expect(problemOf('a.ts', 500)).toBeUndefined();
  expect(problemOf('a.ts', 1100)).toBeUndefined();
  expect(problemOf('a.ts', 1101)).toMatch(/grew from 1000 to 1101 bytes.*--record/);
  expect(problemOf('b.ts', 10)).toMatch(/no recorded size.*--record/);
});
