import { seededRng } from '#shared/determinism/rng.ts';

/** How tools meet the tree: some seed it, the rest come in batches. Together they are all tools, each once. */
export interface Partition<T> {
  seed: T[];
  batches: T[][];
}

/** One shuffle, then slices. Equal ids and seeds give equal partitions, whatever the order of the items. */
export function partitionTools<T extends { id: string }>(
  items: readonly T[],
  sizes: { seed: number; batch: number },
  seed: number,
): Partition<T> {
  const sorted = items.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const shuffled = seededRng(seed, 'tool-library', 'partition').shuffle(sorted);
  const batches: T[][] = [];
  for (let from = sizes.seed; from < shuffled.length; from += sizes.batch) {
    batches.push(shuffled.slice(from, from + sizes.batch));
  }
  return { seed: shuffled.slice(0, sizes.seed), batches };
}
