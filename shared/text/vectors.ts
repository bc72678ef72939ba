/** Plain arithmetic on dense vectors. */

/** Inner product; of unit vectors, their cosine. `at` is where `b` begins in a matrix of rows. */
export function dot(a: Float32Array, b: Float32Array, at = 0): number {
  // Four sums at a time: one would wait for itself at every step.
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const whole = a.length & ~3;
  for (let i = 0, j = at; i < whole; i += 4, j += 4) {
    s0 += a[i]! * b[j]!;
    s1 += a[i + 1]! * b[j + 1]!;
    s2 += a[i + 2]! * b[j + 2]!;
    s3 += a[i + 3]! * b[j + 3]!;
  }
  for (let i = whole; i < a.length; i++) s0 += a[i]! * b[at + i]!;
  return s0 + s1 + (s2 + s3);
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

/** Rows one after the other. */
export function matrixOf(vectors: readonly Float32Array[], dims: number): Float32Array {
  const matrix = new Float32Array(vectors.length * dims);
  vectors.forEach((vector, row) => {
    if (vector.length !== dims)
      throw new RangeError(`Vector ${row} has ${vector.length} numbers, not ${dims}.`);
    matrix.set(vector, row * dims);
  });
  return matrix;
}

/** The rows of a matrix, as views into it. */
export const rowsOf = (matrix: Float32Array, dims: number): Float32Array[] =>
  Array.from({ length: matrix.length / dims }, (_, row) => matrix.subarray(row * dims, (row + 1) * dims));
