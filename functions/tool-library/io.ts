import { readJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';

/** The rows of a JSONL object of ours: what this workflow wrote is trusted to have its type. */
export async function* rows<T>(artifacts: Artifacts, keyOrRef: string | ArtifactRef): AsyncGenerator<T> {
  for await (const { value } of readJsonl(artifacts, keyOrRef)) yield value as T;
}

export async function allRows<T>(artifacts: Artifacts, keyOrRef: string | ArtifactRef): Promise<T[]> {
  const all: T[] = [];
  for await (const row of rows<T>(artifacts, keyOrRef)) all.push(row);
  return all;
}

/** The same where there may be no object: then no rows. */
export async function rowsIfAny<T>(artifacts: Artifacts, key: string): Promise<T[]> {
  try {
    return await allRows<T>(artifacts, key);
  } catch (error) {
    if (isError(error, 'NotFound')) return [];
    throw error;
  }
}

/** The number of rows of a JSONL object. */
export async function countJsonl(artifacts: Artifacts, keyOrRef: string | ArtifactRef): Promise<number> {
  let count = 0;
  for await (const _ of readJsonl(artifacts, keyOrRef)) count++;
  return count;
}
