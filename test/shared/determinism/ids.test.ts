import { expect, it } from 'vitest';
import { randomIds } from '#shared/determinism/ids.ts';

it('random hex has as many digits as asked, and none comes twice', () => {
  const ids = Array.from({ length: 2000 }, (_, n) => randomIds.hex(128 + 8 * (n % 3)));
  ids.forEach((id, n) => expect(id).toMatch(new RegExp(`^[0-9a-f]{${32 + 2 * (n % 3)}}$`)));
  expect(new Set(ids).size).toBe(ids.length);
  expect(randomIds.hex(100_000)).toHaveLength(25_000);
});
