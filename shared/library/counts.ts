import type { Runtime } from '#shared/task/runtime.ts';
import { libraryPk } from './store.ts';
import type { Library } from './types.ts';

/** How often a tool of a version was called, and how often that failed: beside the version, which never changes. */
export interface InvocationCounts {
  invocations: number;
  errors: number;
}

type Version = Pick<Library, 'libraryId' | 'version'>;

const keyOf = ({ libraryId, version }: Version, name: string) => ({
  pk: libraryPk(libraryId),
  sk: `COUNT#${version}#${name}`,
});

export async function countInvocation(
  runtime: Runtime,
  version: Version,
  name: string,
  ok: boolean,
): Promise<void> {
  await runtime.records.update(keyOf(version, name), { add: { invocations: 1, errors: ok ? 0 : 1 } });
}

/** Counts of at most 100 tools, in their order; zeros where one was never called. */
export async function countsOf(
  runtime: Runtime,
  version: Version,
  names: readonly string[],
): Promise<InvocationCounts[]> {
  const items = await runtime.records.batchGet(names.map((name) => keyOf(version, name)));
  const bySk = new Map(items.map(({ sk, attributes }) => [sk, attributes]));
  return names.map((name) => {
    const counts = bySk.get(keyOf(version, name).sk);
    return { invocations: Number(counts?.invocations ?? 0), errors: Number(counts?.errors ?? 0) };
  });
}
