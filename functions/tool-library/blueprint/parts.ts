import type { Case, Tool } from '#shared/library/types.ts';
import { readJson, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { readCall } from '../analysis/calls.ts';
import type { ToolLibraryConfig } from '../config.ts';
import { allRows, rows, rowsIfAny } from '../io.ts';
import { keys, partName } from '../keys.ts';
import { parseTools } from '../python/analyser.ts';
import type { Cluster } from '../records.ts';
import type { SourceCase, SourceTool } from '../refactor/forms.ts';

/** Clusters in parts: what one child execution of Blueprint, and later of Aggregate, works through in lockstep. */

export interface PartScope {
  ctx: TaskContext;
  config: ToolLibraryConfig;
  part: number;
}

/** Clusters join a part until it has so many tools. */
const PART_TOOLS = 1000;
/** Tools held in memory while parts are written; more take another pass over the file. */
const WINDOW_TOOLS = 20_000;

export const partPrefix = (jobId: string, part: number): string => keys.sibs(jobId, partName(part));

interface PartFiles {
  clusters: ArtifactRef;
  tools: ArtifactRef;
  cases: ArtifactRef;
}

export interface ClusterIndex {
  index: ArtifactRef;
  parts: number;
  clusters: number;
  tools: number;
}

/** Cuts the clusters into parts, each with its tools and cases beside it, and writes the index the Maps read. */
export async function indexClusters(ctx: TaskContext, config: ToolLibraryConfig): Promise<ClusterIndex> {
  const { artifacts } = ctx;
  const { jobId } = config;
  // Topics that lie side by side come into one part.
  const clusters = (await rowsIfAny<Cluster>(artifacts, keys.clusters(jobId))).sort(byPath);
  const parts: Cluster[][] = [];
  let size = Infinity;
  for (const cluster of clusters) {
    if (size + cluster.toolIds.length > PART_TOOLS) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1)!.push(cluster);
    size += cluster.toolIds.length;
  }
  for (let from = 0; from < parts.length;) {
    let until = from;
    for (let tools = 0; until < parts.length && tools < WINDOW_TOOLS; until++)
      tools += toolCount(parts[until]!);
    await writeParts(artifacts, jobId, parts, from, until);
    from = until;
  }
  const index = await writeJsonl(
    artifacts,
    keys.sibs(jobId, 'index.jsonl'),
    parts.map((_, part) => ({ part })),
  );
  return {
    index,
    parts: parts.length,
    clusters: clusters.length,
    tools: parts.reduce((sum, part) => sum + toolCount(part), 0),
  };
}

const byPath = (a: Cluster, b: Cluster): number => {
  const [one, two] = [[...a.path, a.clusterId].join('\n'), [...b.path, b.clusterId].join('\n')];
  return one < two ? -1 : one > two ? 1 : 0;
};

const toolCount = (clusters: readonly Cluster[]): number =>
  clusters.reduce((sum, { toolIds }) => sum + toolIds.length, 0);

async function writeParts(
  artifacts: Artifacts,
  jobId: string,
  parts: readonly Cluster[][],
  from: number,
  until: number,
): Promise<void> {
  const partOf = new Map<string, number>();
  for (let part = from; part < until; part++) {
    for (const id of parts[part]!.flatMap(({ toolIds }) => toolIds)) partOf.set(id, part);
  }
  const group = async <T>(key: string, idOf: (row: T) => string): Promise<Map<number, T[]>> => {
    const groups = new Map<number, T[]>();
    for await (const row of rows<T>(artifacts, key)) {
      const part = partOf.get(idOf(row));
      if (part === undefined) continue;
      const list = groups.get(part);
      if (list) list.push(row);
      else groups.set(part, [row]);
    }
    return groups;
  };
  const tools = await group<Tool>(keys.tools(jobId), ({ id }) => id);
  const cases = await group<Case>(keys.cases(jobId), ({ toolId }) => toolId);
  for (let part = from; part < until; part++) {
    const prefix = partPrefix(jobId, part);
    const files: PartFiles = {
      clusters: await writeJsonl(artifacts, `${prefix}/clusters.jsonl`, parts[part]!),
      tools: await writeJsonl(artifacts, `${prefix}/tools.jsonl`, tools.get(part) ?? []),
      cases: await writeJsonl(artifacts, `${prefix}/cases.jsonl`, cases.get(part) ?? []),
    };
    await writeJson(artifacts, `${prefix}/part.json`, files);
  }
}

/** A part's tools with their cases, and their syntax trees. */
export interface PartSources {
  clusters: Cluster[];
  tools: Map<string, Tool>;
  cases: Map<string, Case[]>;
  sources: Map<string, SourceTool>;
}

/** Parts parsed before, by content: a part's steps come one after another in one process. */
const parsed = new Map<string, Promise<PartSources>>();
const MAX_PARSED = 6;

export async function sourcesOf({ ctx, config, part }: PartScope): Promise<PartSources> {
  const files = (await readJson(ctx.artifacts, `${partPrefix(config.jobId, part)}/part.json`)) as PartFiles;
  const id = `${files.clusters.sha256} ${files.tools.sha256} ${files.cases.sha256}`;
  let known = parsed.get(id);
  if (!known) {
    known = loadSources(ctx.artifacts, files);
    known.catch(() => parsed.delete(id));
  } else parsed.delete(id);
  parsed.set(id, known);
  if (parsed.size > MAX_PARSED) parsed.delete(parsed.keys().next().value!);
  return known;
}

async function loadSources(artifacts: Artifacts, files: PartFiles): Promise<PartSources> {
  const tools = await allRows<Tool>(artifacts, files.tools);
  const cases = new Map<string, Case[]>();
  for (const each of await allRows<Case>(artifacts, files.cases)) {
    cases.set(each.toolId, [...(cases.get(each.toolId) ?? []), each]);
  }
  return {
    clusters: await allRows<Cluster>(artifacts, files.clusters),
    tools: new Map(tools.map((tool) => [tool.id, tool])),
    cases,
    sources: await parseSources(tools, cases),
  };
}

/** Tools as refactoring reads them; one that has no tree or no readable case is not among them. */
export async function parseSources(
  tools: readonly Tool[],
  cases: ReadonlyMap<string, readonly Case[]>,
): Promise<Map<string, SourceTool>> {
  const codes = await parseTools(tools.map(({ code }) => code));
  const all = tools.flatMap(({ id }) => cases.get(id) ?? []);
  const calls = await parseTools(
    all.map(({ setup, call }) => (setup === undefined ? call : `${setup}\n${call}`)),
  );
  const callOf = new Map(all.map((each, n) => [each.id, calls[n]!]));
  const sources = new Map<string, SourceTool>();
  for (const [n, tool] of tools.entries()) {
    const code = codes[n]!;
    if (!code.ok) continue;
    const read = (cases.get(tool.id) ?? []).flatMap(({ id, setup }): SourceCase[] => {
      const call = callOf.get(id)!;
      const shape = call.ok ? readCall(code.ast, call.ast) : undefined;
      return typeof shape === 'object' ? [{ id, shape, ...(setup === undefined ? {} : { setup }) }] : [];
    });
    if (read.length === 0 || read.length < (cases.get(tool.id) ?? []).length) continue;
    const { id, name, entry, description, lineage } = tool;
    const merged = lineage.parents.length > 0;
    sources.set(id, { id, name, entry, description, ast: code.ast, cases: read, ...(merged && { merged }) });
  }
  return sources;
}
