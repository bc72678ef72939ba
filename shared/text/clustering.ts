import { dot } from './vectors.ts';

/** Two clusters becoming one at a distance. Clusters 0..n-1 are the items; merge i makes cluster n+i. */
export interface Merge {
  a: number;
  b: number;
  /** Mean cosine distance between the items of the two, 0..2. Never less than that of an earlier merge. */
  height: number;
}

/**
 * Average-linkage agglomerative clustering on cosine distance by the nearest-neighbour chain (Murtagh, "A survey of
 * recent advances in hierarchical clustering algorithms", 1983): n^2 time, n^2 numbers of memory (1,000 vectors: 4 MB).
 * Ties go to the earlier item, so equal input gives equal trees.
 * @param vectors of length 1.
 * @returns n-1 merges by height.
 */
export function averageLinkage(vectors: readonly Float32Array[]): Merge[] {
  const n = vectors.length;
  if (n < 2) return [];
  const distances = cosineDistances(vectors);
  const sizes = new Float64Array(n).fill(1);
  const active = new Uint8Array(n).fill(1);
  const raw: { a: number; b: number; height: number }[] = [];
  const chain: number[] = [];
  let start = 0;
  while (raw.length < n - 1) {
    if (chain.length === 0) {
      while (!active[start]) start++;
      chain.push(start);
    }
    const top = chain.at(-1)!;
    const before = chain.at(-2);
    // Among equals the chain's last but one wins: the chain cannot run in circles.
    let nearest = before ?? -1;
    let least = before === undefined ? Infinity : distances[top * n + before]!;
    for (let other = 0, at = top * n; other < n; other++, at++) {
      if (active[other] && other !== top && distances[at]! < least) {
        least = distances[at]!;
        nearest = other;
      }
    }
    if (nearest !== before) {
      chain.push(nearest);
      continue;
    }
    chain.length -= 2;
    const [into, gone] = nearest < top ? [nearest, top] : [top, nearest];
    raw.push({ a: into, b: gone, height: least });
    unite(distances, sizes, active, into, gone);
  }
  return byHeight(raw, n);
}

function cosineDistances(vectors: readonly Float32Array[]): Float64Array {
  const n = vectors.length;
  const distances = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      // Rounding must not make equal vectors nearer than themselves.
      const distance = Math.max(0, 1 - dot(vectors[i]!, vectors[j]!));
      distances[i * n + j] = distance;
      distances[j * n + i] = distance;
    }
  }
  return distances;
}

/** The mean distance of a union is the mean of the means, by size (Lance and Williams, 1967). */
function unite(
  distances: Float64Array,
  sizes: Float64Array,
  active: Uint8Array,
  into: number,
  gone: number,
): void {
  const n = active.length;
  const [p, q] = [sizes[into]!, sizes[gone]!];
  active[gone] = 0;
  sizes[into] = p + q;
  for (let other = 0; other < n; other++) {
    if (!active[other] || other === into) continue;
    const mean = (p * distances[into * n + other]! + q * distances[gone * n + other]!) / (p + q);
    distances[into * n + other] = mean;
    distances[other * n + into] = mean;
  }
}

/** The chain finds merges out of order; a cluster goes by its smallest item until it gets its number here. */
function byHeight(raw: readonly Merge[], n: number): Merge[] {
  const order = raw.map((merge, found) => ({ ...merge, found }));
  order.sort((x, y) => x.height - y.height || x.found - y.found);
  const parent = Array.from({ length: n }, (_, item) => item);
  const root = (item: number): number => {
    while (parent[item] !== item) item = parent[item] = parent[parent[item]!]!;
    return item;
  };
  const name = Array.from({ length: n }, (_, item) => item);
  let height = 0;
  return order.map((merge, index) => {
    const [a, b] = [root(merge.a), root(merge.b)];
    const names = [name[a]!, name[b]!].sort((x, y) => x - y) as [number, number];
    parent[Math.max(a, b)] = Math.min(a, b);
    name[Math.min(a, b)] = n + index;
    height = Math.max(height, merge.height);
    return { a: names[0], b: names[1], height };
  });
}

/**
 * The clusters below a distance: items of which every merge is at most `threshold`. Clusters and their items in the
 * order of the items. Cuts at falling thresholds are nested.
 */
export function cutTree(merges: readonly Merge[], n: number, threshold: number): number[][] {
  const members = new Map<number, number[]>(Array.from({ length: n }, (_, item) => [item, [item]]));
  for (const [index, { a, b, height }] of merges.entries()) {
    if (height > threshold) break;
    members.set(n + index, [...members.get(a)!, ...members.get(b)!]);
    members.delete(a);
    members.delete(b);
  }
  return [...members.values()].map((items) => items.sort((x, y) => x - y)).sort((x, y) => x[0]! - y[0]!);
}
