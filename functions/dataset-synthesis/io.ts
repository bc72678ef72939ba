import { readJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';

/** The rows of a JSONL object of ours, streamed: what this workflow wrote is trusted to have its type. */
export async function* rows<T>(artifacts: Artifacts, keyOrRef: string | ArtifactRef): AsyncGenerator<T> {
  for await (const { value } of readJsonl(artifacts, keyOrRef)) yield value as T;
}

/** The same where there may be no object: then no rows. */
export async function* rowsIfAny<T>(artifacts: Artifacts, key: string): AsyncGenerator<T> {
  try {
    yield* rows<T>(artifacts, key);
  } catch (error) {
    if (!isError(error, 'NotFound')) throw error;
  }
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of source) all.push(item);
  return all;
}

/** Maps in input order with at most `width` calls under way: for many small reads. */
export async function* mapOrdered<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  width: number,
  map: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const flights: Promise<R>[] = [];
  try {
    for await (const item of items) {
      flights.push(map(item));
      if (flights.length >= width) yield await flights.shift()!;
    }
    while (flights.length > 0) yield await flights.shift()!;
  } finally {
    await Promise.allSettled(flights);
  }
}
