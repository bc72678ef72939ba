import { parseSources } from '#functions/tool-library/blueprint/parts.ts';
import { allRows } from '#functions/tool-library/io.ts';
import { keys } from '#functions/tool-library/keys.ts';
import type { Cluster } from '#functions/tool-library/records.ts';
import { closeSandboxes } from '#functions/tool-library/sandbox.ts';
import { normalForms } from '#functions/tool-library/refactor/refactor.ts';
import { skeletonOf } from '#functions/tool-library/refactor/skeleton.ts';
import { embeddedText } from '#shared/library/build.ts';
import { loadLibrary, type LoadedLibrary } from '#shared/library/load.ts';
import { listTools, pageOf } from '#shared/library/list.ts';
import { searchIndex, type SearchIndex, type SearchRow } from '#shared/library/search.ts';
import { resolveVersion } from '#shared/library/aliases.ts';
import type { Case, LibraryTool, Tool } from '#shared/library/types.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { Encoder } from '#shared/text/encoder.ts';
import { matrixOf } from '#shared/text/vectors.ts';
import type { Platform } from '#local/platform.ts';
import { costOf, type Cost } from '../tool-library/usage.ts';
import type { Problem } from './problems.ts';

/** A library that the workflow made from problems, and the tools it was made from. */
export interface Built {
  library: LoadedLibrary;
  aggregated: LibraryTool[];
  tools: Tool[];
  cases: Case[];
  clusters: Cluster[];
  /** Skeleton of a tool, as text; absent where it has none. */
  skeletons: ReadonlyMap<string, string>;
  cost: Cost;
}

export async function build(
  platform: Platform,
  libraryId: string,
  problems: readonly Problem[],
): Promise<Built> {
  const { artifacts } = platform.runtime;
  const source = `bench/${libraryId}.jsonl`;
  await writeJsonl(artifacts, source, problems);
  // What is measured is how libraries are searched: questions are not solved again with what was made of them.
  const input = { source, libraryId, validation: 'execute', review: 'execute' };
  const { result: job, cost } = await costOf(async () => {
    const ended = await platform.run('tool-library', input as Json);
    await closeSandboxes();
    return ended;
  });
  if (!job.status.startsWith('SUCCEEDED')) {
    throw new Error(`The job ${job.jobId} ended ${job.status}: ${job.error?.detail ?? ''}`);
  }
  const { jobId } = job;
  const tools = await allRows<Tool>(artifacts, keys.tools(jobId));
  const cases = await allRows<Case>(artifacts, keys.cases(jobId));
  const version = await resolveVersion(platform.runtime, libraryId);
  const library = await loadLibrary(platform.runtime, libraryId, version);
  const aggregated: LibraryTool[] = [];
  for (const { rows } = library.index; aggregated.length < rows.length;)
    aggregated.push(...(await listTools(platform.runtime, library, pageOf(rows, aggregated.length, 100))));
  return {
    library,
    aggregated,
    tools,
    cases,
    clusters: await allRows<Cluster>(artifacts, keys.clusters(jobId)),
    skeletons: await skeletonsOf(tools, cases),
    cost,
  };
}

async function skeletonsOf(tools: readonly Tool[], cases: readonly Case[]): Promise<Map<string, string>> {
  const byTool = new Map<string, Case[]>();
  for (const each of cases) byTool.set(each.toolId, [...(byTool.get(each.toolId) ?? []), each]);
  const sources = await parseSources(tools, byTool);
  return new Map(
    normalForms([...sources.values()]).forms.map((form) => [form.toolId, skeletonOf(form).text]),
  );
}

/** The tools before refactoring as a library of their own: one tool a question. */
export async function fragmented({ tools, clusters }: Built, encoder: Encoder): Promise<SearchIndex> {
  const clusterOf = new Map(
    clusters.flatMap((cluster) => cluster.toolIds.map((id) => [id, cluster] as const)),
  );
  const rows: SearchRow[] = tools.map(({ id, name, description, schema, tags }) => ({
    id,
    name,
    description,
    schema,
    path: clusterOf.get(id)?.path ?? [],
    tags,
    clusterId: clusterOf.get(id)?.clusterId ?? '',
    at: [0, 0],
  }));
  const vectors = await encoder.embed(rows.map(embeddedText));
  return searchIndex(rows, matrixOf(vectors, encoder.dims), encoder);
}
