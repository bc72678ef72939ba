/** A place in a list with its score. */
export interface Scored {
  index: number;
  score: number;
}

/**
 * The k best of a list of scores, best first; ties by id, so that no result depends on the order of a list.
 * Takes n log k time: the kept ones are a heap with the worst on top.
 * @param keep leaves places out where it says false.
 */
export function topScores(
  scores: ArrayLike<number>,
  ids: readonly string[],
  k: number,
  keep?: (index: number) => boolean,
): Scored[] {
  const worse = (a: Scored, b: Scored): boolean =>
    a.score !== b.score ? a.score < b.score : ids[a.index]! > ids[b.index]!;
  const heap: Scored[] = [];
  const swap = (i: number, j: number): void => {
    [heap[i], heap[j]] = [heap[j]!, heap[i]!];
  };
  const rise = (): void => {
    for (let at = heap.length - 1; at > 0;) {
      const parent = (at - 1) >> 1;
      if (!worse(heap[at]!, heap[parent]!)) return;
      swap(at, parent);
      at = parent;
    }
  };
  const sink = (): void => {
    for (let at = 0; ;) {
      let next = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heap.length && worse(heap[child]!, heap[next]!)) next = child;
      if (next === at) return;
      swap(at, next);
      at = next;
    }
  };
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index]!;
    if (heap.length === k && (k === 0 || score < heap[0]!.score)) continue;
    if (keep && !keep(index)) continue;
    const item = { index, score };
    if (heap.length < k) {
      heap.push(item);
      rise();
    } else if (worse(heap[0]!, item)) {
      heap[0] = item;
      sink();
    }
  }
  return heap.sort((a, b) => (worse(a, b) ? 1 : -1));
}
