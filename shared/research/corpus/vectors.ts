import type { DatabaseSync } from 'node:sqlite';
import { defect } from '#shared/task/errors.ts';

/** The vectors of an index's passages, one byte a number, all in memory: an exact scan beats an index at this size. */
export interface PassageVectors {
  /** Cosine of a unit vector with every passage, by passage id minus 1. */
  cosines(query: Float32Array): Float32Array;
  cosine(query: Float32Array, passage: number): number;
}

export function loadVectors(db: DatabaseSync, passages: number, dims: number): PassageVectors {
  const matrix = new Int8Array(passages * dims);
  const scales = new Float32Array(passages);
  let loaded = 0;
  for (const row of db.prepare('SELECT passage, scale, numbers FROM vectors').iterate()) {
    const { passage, scale, numbers } = row as { passage: number; scale: number; numbers: Uint8Array };
    matrix.set(new Int8Array(numbers.buffer, numbers.byteOffset, numbers.length), (passage - 1) * dims);
    scales[passage - 1] = scale;
    loaded++;
  }
  if (loaded !== passages) throw defect(`The index has ${loaded} vectors for ${passages} passages.`);

  const cosine = (query: Float32Array, index: number): number => {
    // Four sums at a time: one would wait for itself at every step.
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let i = 0, j = index * dims; i < dims; i += 4, j += 4) {
      s0 += query[i]! * matrix[j]!;
      s1 += query[i + 1]! * matrix[j + 1]!;
      s2 += query[i + 2]! * matrix[j + 2]!;
      s3 += query[i + 3]! * matrix[j + 3]!;
    }
    return (s0 + s1 + (s2 + s3)) * scales[index]!;
  };
  return {
    cosine: (query, passage) => cosine(query, passage - 1),
    cosines(query) {
      const out = new Float32Array(passages);
      for (let index = 0; index < passages; index++) out[index] = cosine(query, index);
      return out;
    },
  };
}
