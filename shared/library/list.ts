import type { Runtime } from '#shared/task/runtime.ts';
import { defect } from '#shared/task/errors.ts';
import { countsOf, type InvocationCounts } from './counts.ts';
import type { LoadedLibrary } from './load.ts';
import { libraryKey } from './store.ts';
import { LibraryToolSchema, type LibraryTool } from './types.ts';

/** A tool as it was published, with how it was used since. */
export type ListedTool = Omit<LibraryTool, 'evidence'> & {
  evidence: LibraryTool['evidence'] & InvocationCounts;
};

/** Whole tools of a version, in its order. @param limit at most 100. */
export async function listTools(
  runtime: Runtime,
  { manifest, index }: LoadedLibrary,
  { from, limit }: { from: number; limit: number },
): Promise<ListedTool[]> {
  const rows = index.rows.slice(from, from + limit);
  const [first, last] = [rows[0], rows.at(-1)];
  if (!first || !last) return [];
  const { libraryId, version } = manifest;
  const { body } = await runtime.artifacts.get(libraryKey(libraryId, version, 'tools.jsonl'), {
    range: { start: first.at[0], end: last.at[1] },
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const lines = Buffer.concat(chunks).toString('utf8').split('\n');
  if (lines.length !== rows.length)
    throw defect(`The tools of ${libraryId} ${version} are not where its index says.`);
  const counts = await countsOf(
    runtime,
    manifest,
    rows.map(({ name }) => name),
  );
  return lines.map((line, place) => {
    const tool = LibraryToolSchema.parse(JSON.parse(line));
    return { ...tool, evidence: { ...tool.evidence, ...counts[place]! } };
  });
}
