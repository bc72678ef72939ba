import { invalidInput } from '#shared/task/errors.ts';
import { topScores } from './top.ts';
import { dot } from './vectors.ts';

export interface VectorHit {
  id: string;
  /** Cosine with the query, -1..1. */
  score: number;
}

/** Nearest vectors by an exact scan: nothing near is ever missed, and results are the same everywhere. */
export interface VectorIndex {
  readonly ids: readonly string[];
  readonly dims: number;
  /** The vector at a place, as a view. */
  row(place: number): Float32Array;
  /** Cosine of every vector with the query, in the order of the ids. */
  scores(query: Float32Array): Float32Array;
  /** The k nearest, nearest first, ties by id. */
  search(query: Float32Array, k: number, keep?: (index: number) => boolean): VectorHit[];
}

/**
 * @param matrix unit vectors one after the other, in the order of `ids`.
 * @throws InvalidInput where the sizes do not fit each other or the query's.
 */
export function vectorIndex(ids: readonly string[], matrix: Float32Array, dims: number): VectorIndex {
  if (matrix.length !== ids.length * dims) {
    throw invalidInput(`${matrix.length} numbers are not ${ids.length} vectors of ${dims}.`);
  }
  const scores = (query: Float32Array): Float32Array => {
    if (query.length !== dims) {
      throw invalidInput(`The query has ${query.length} numbers, the index vectors of ${dims}.`);
    }
    const out = new Float32Array(ids.length);
    for (let row = 0; row < out.length; row++) out[row] = dot(query, matrix, row * dims);
    return out;
  };
  return {
    ids,
    dims,
    row: (place) => matrix.subarray(place * dims, (place + 1) * dims),
    scores,
    search: (query, k, keep) =>
      topScores(scores(query), ids, k, keep).map(({ index, score }) => ({ id: ids[index]!, score })),
  };
}
