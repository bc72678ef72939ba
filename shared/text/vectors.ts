/** Plain arithmetic on dense vectors. */

/** Inner product; of unit vectors, their cosine. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/**
 * The vector at length 1.
 * @returns undefined where it has no direction: zero, or a number that is not finite.
 */
export function unitVector(values: ArrayLike<number>): Float32Array | undefined {
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += values[i]! * values[i]!;
  if (!(squares > 0) || !Number.isFinite(squares)) return undefined;
  const length = Math.sqrt(squares);
  return Float32Array.from(values, (value) => value / length);
}

/** Direction of the sum of unit vectors: the centroid on the sphere. Undefined where they cancel or there are none. */
export function centroid(vectors: readonly Float32Array[]): Float32Array | undefined {
  const first = vectors[0];
  if (!first) return undefined;
  const sum = new Float64Array(first.length);
  for (const vector of vectors) for (let i = 0; i < sum.length; i++) sum[i]! += vector[i]!;
  return unitVector(sum);
}
