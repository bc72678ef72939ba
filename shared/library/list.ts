import type { Runtime } from '#shared/task/runtime.ts';
import { defect } from '#shared/task/errors.ts';
import { countsOf, type InvocationCounts } from './counts.ts';
import type { LoadedLibrary } from './load.ts';
import type { SearchRow } from './search.ts';
import { libraryKey } from './store.ts';
import { LibraryToolSchema, type LibraryTool } from './types.ts';

/** A tool as it was published, with how it was used since. */
export type ListedTool = Omit<LibraryTool, 'evidence'> & {
  evidence: LibraryTool['evidence'] & InvocationCounts;
};

/** Bytes of tools on a page: answers of functions on AWS end at six megabytes, and a tool may have 64 KiB of code. */
const MAX_PAGE_BYTES = 4_000_000;

/** The rows of a page: as many as there may be, fewer where they are large, at least one where there is any. */
export function pageOf(rows: readonly SearchRow[], from: number, limit: number): readonly SearchRow[] {
  const page = rows.slice(from, from + limit);
  const start = page[0]?.at[0] ?? 0;
  const fit = page.findIndex(({ at }) => at[1] - start > MAX_PAGE_BYTES);
  return fit < 0 ? page : page.slice(0, Math.max(1, fit));
}

/** Whole tools of a page's rows, which follow each other in the version. At most 100. */
export async function listTools(
  runtime: Runtime,
  { manifest }: LoadedLibrary,
  rows: readonly SearchRow[],
): Promise<ListedTool[]> {
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
