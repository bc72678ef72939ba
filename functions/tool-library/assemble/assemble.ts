import { hashOf } from '#shared/determinism/hash.ts';
import type { Case, LibraryTool, Tool, ToolModule } from '#shared/library/types.ts';
import { writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { resultsKey, type SibResult } from '../aggregate/results.ts';
import { commonPath } from '../blueprint/pools.ts';
import { renameClashes } from '../collect/rename.ts';
import type { ToolLibraryConfig } from '../config.ts';
import { allRows, rowsIfAny } from '../io.ts';
import { keys } from '../keys.ts';
import type { Cluster, Reject } from '../records.ts';
import { aggregatedTool, keptTool, type Place, type PlacedCall } from './tools.ts';
import { failuresOf } from './verify.ts';

/**
 * The library's files (section 4.8): every admitted tool is in them, as part of a function that supersedes it or as it
 * is. After a verification that failed, the tools of what failed are reinstated.
 */

/** Tools a part of VerifyLibrary. */
const VERIFY_TOOLS = 50;

export interface Assembled {
  index: ArtifactRef;
  parts: number;
  tools: number;
  aggregated: number;
  kept: number;
}

/** What the report needs to know of the last assembly. */
export interface AssemblySummary {
  tools: number;
  aggregated: number;
  kept: number;
  superseded: number;
  reinstated: string[];
  scenarios: {
    id: string;
    name: string;
    rounds: number;
    accepted: boolean;
    superseded: number;
    functions: number;
    history: SibResult['history'];
  }[];
  reasons: { toolId: string; name: string; reason: string }[];
}

export const summaryKey = (jobId: string): string => keys.verify(jobId, 'assembly.json');
export const verifyIndexKey = (jobId: string): string => keys.verify(jobId, 'index.jsonl');

export async function assemble(
  ctx: TaskContext,
  config: ToolLibraryConfig,
  pass: number,
): Promise<Assembled> {
  const { artifacts } = ctx;
  const { jobId } = config;
  const tools = await allRows<Tool>(artifacts, keys.tools(jobId));
  const cases = await allRows<Case>(artifacts, keys.cases(jobId));
  const results = await scenarioResults(ctx, jobId);
  const reinstated = await reinstatedTools(ctx, jobId, pass);
  const superseded = supersededTools(tools, results, reinstated);
  const places = placesOf(await rowsIfAny<Cluster>(artifacts, keys.clusters(jobId)));
  const reasons = await reasonsFor(ctx, jobId, results, reinstated);
  const { library, calls, modules } = collect({ tools, cases, results, superseded, places, reasons, config });
  const named = await renameClashes(
    { tools: library, cases: calls },
    new Map(modules.map(({ id, code }) => [id, code])),
  );
  const mappings = new Map<string, PlacedCall[]>();
  for (const call of named.cases) mappings.set(call.toolId, [...(mappings.get(call.toolId) ?? []), call]);
  const rows = named.tools.map((tool): LibraryTool => ({
    ...tool,
    mapping: (mappings.get(tool.id) ?? []).map(({ toolId: _library, source, ...mapping }) => ({
      ...mapping,
      toolId: source,
    })),
  }));
  await writeJsonl(artifacts, keys.library(jobId, 'tools'), rows);
  await writeJsonl(artifacts, keys.library(jobId, 'modules'), modules);
  await writeJsonl(artifacts, keys.library(jobId, 'cases'), cases);
  await writeJsonl(
    artifacts,
    keys.library(jobId, 'mappings'),
    named.cases.map(({ toolId, source, ...mapping }) => ({
      ...mapping,
      toolId: source,
      libraryToolId: toolId,
    })),
  );
  const parts = Array.from({ length: Math.ceil(rows.length / VERIFY_TOOLS) }, (_, part) => ({
    part,
    from: part * VERIFY_TOOLS,
    count: Math.min(VERIFY_TOOLS, rows.length - part * VERIFY_TOOLS),
  }));
  const index = await writeJsonl(artifacts, verifyIndexKey(jobId), parts);
  const kept = rows.filter(({ sibId }) => sibId === undefined);
  const summary: AssemblySummary = {
    tools: rows.length,
    aggregated: rows.length - kept.length,
    kept: kept.length,
    superseded: superseded.size,
    reinstated: [...reinstated.keys()].sort(),
    scenarios: results.map(({ sib, rounds, accepted, functions, history }) => ({
      id: sib.id,
      name: sib.name,
      rounds,
      accepted,
      superseded: sib.coveredToolIds.filter((id) => superseded.has(id)).length,
      functions: functions.length,
      history,
    })),
    reasons: kept.map(({ id, name, keptBecause }) => ({ toolId: id, name, reason: keptBecause ?? '' })),
  };
  await writeJson(artifacts, summaryKey(jobId), summary);
  return {
    index,
    parts: parts.length,
    tools: rows.length,
    aggregated: summary.aggregated,
    kept: summary.kept,
  };
}

/** What Aggregate left, part by part. */
async function scenarioResults({ artifacts }: TaskContext, jobId: string): Promise<SibResult[]> {
  const parts = await rowsIfAny<{ part: number }>(artifacts, keys.sibs(jobId, 'index.jsonl'));
  const results: SibResult[] = [];
  for (const { part } of parts)
    results.push(...(await rowsIfAny<SibResult>(artifacts, resultsKey(jobId, part))));
  return results;
}

/** Tools whose function failed on the published bytes in an earlier pass, and how. */
async function reinstatedTools(ctx: TaskContext, jobId: string, pass: number): Promise<Map<string, string>> {
  const reinstated = new Map<string, string>();
  for (let earlier = 1; earlier < pass; earlier++) {
    for (const { sources, tool, caseId, given } of await failuresOf(ctx, jobId, earlier)) {
      for (const id of sources) {
        reinstated.set(id, `Reinstated: ${tool} gave ${given} in verification (case ${caseId}).`);
      }
    }
  }
  return reinstated;
}

/** The scenario that supersedes a tool: its mapping has all the tool's cases, and nothing speaks against it since. */
function supersededTools(
  tools: readonly Tool[],
  results: readonly SibResult[],
  reinstated: ReadonlyMap<string, string>,
): Map<string, SibResult> {
  const superseded = new Map<string, SibResult>();
  const byId = new Map(tools.map((tool) => [tool.id, tool]));
  for (const result of results) {
    const mapped = new Map<string, Set<string>>();
    for (const { toolId, caseId } of result.mapping) {
      mapped.set(toolId, (mapped.get(toolId) ?? new Set()).add(caseId));
    }
    for (const [id, cases] of mapped) {
      const tool = byId.get(id);
      const whole =
        tool !== undefined && tool.caseIds.length > 0 && tool.caseIds.every((each) => cases.has(each));
      if (whole && !superseded.has(id) && !reinstated.has(id)) superseded.set(id, result);
    }
  }
  return superseded;
}

const placesOf = (clusters: readonly Cluster[]): Map<string, Place> =>
  new Map(
    clusters.flatMap(({ clusterId, path, toolIds }) =>
      toolIds.map((id) => [id, { clusterId, path }] as const),
    ),
  );

/** Why tools are kept, the latest reason each. */
async function reasonsFor(
  { artifacts }: TaskContext,
  jobId: string,
  results: readonly SibResult[],
  reinstated: ReadonlyMap<string, string>,
): Promise<Map<string, string>> {
  const reasons = new Map<string, string>();
  for (const { part } of await rowsIfAny<{ part: number }>(artifacts, keys.sibs(jobId, 'index.jsonl'))) {
    for (const { itemId, message } of await rowsIfAny<Reject>(
      artifacts,
      keys.rejects(jobId, 'blueprint', part),
    )) {
      reasons.set(itemId, message);
    }
  }
  for (const { toolId, code, reason } of results.flatMap(({ kept }) => kept))
    reasons.set(toolId, `${code}: ${reason}`);
  for (const [id, reason] of reinstated) reasons.set(id, reason);
  return reasons;
}

/** Where a function stands: the topics its sources have in common, else the first one's. */
function placeOf(sources: readonly Tool[], places: ReadonlyMap<string, Place>): Place | undefined {
  const own = sources.flatMap(({ id }) => places.get(id) ?? []);
  const [first] = own;
  const path = commonPath(own.map((place) => place.path));
  return first && path.length > 0 ? { ...first, path } : first;
}

interface Parts {
  tools: readonly Tool[];
  cases: readonly Case[];
  results: readonly SibResult[];
  superseded: ReadonlyMap<string, SibResult>;
  places: ReadonlyMap<string, Place>;
  reasons: ReadonlyMap<string, string>;
  config: ToolLibraryConfig;
}

function collect({ tools, cases, results, superseded, places, reasons, config }: Parts): {
  library: LibraryTool[];
  calls: PlacedCall[];
  modules: ToolModule[];
} {
  const byId = new Map(tools.map((tool) => [tool.id, tool]));
  const casesOf = new Map<string, Case[]>();
  for (const each of cases) casesOf.set(each.toolId, [...(casesOf.get(each.toolId) ?? []), each]);
  const library = new Map<string, LibraryTool>();
  const calls: PlacedCall[] = [];
  const modules = new Map<string, ToolModule>();
  for (const result of results) {
    const module =
      result.module === undefined
        ? undefined
        : { id: `m_${hashOf(result.module).slice(0, 16)}`, code: result.module, sibId: result.sib.id };
    for (const fn of result.functions) {
      const mapping = result.mapping.filter(
        (call) => call.function === fn.name && superseded.get(call.toolId) === result,
      );
      if (mapping.length === 0) continue;
      const sources = [...new Set(mapping.map(({ toolId }) => toolId))].map((id) => byId.get(id)!);
      const tool = aggregatedTool(fn, result, module?.id, sources, mapping, placeOf(sources, places), config);
      const known = library.get(tool.id);
      // The same function came of two clusters: it is one tool.
      library.set(
        tool.id,
        known
          ? {
              ...known,
              caseIds: [...known.caseIds, ...tool.caseIds],
              lineage: {
                ...known.lineage,
                questions: [...new Set([...known.lineage.questions, ...tool.lineage.questions])].sort(),
                parents: [...new Set([...known.lineage.parents, ...tool.lineage.parents])].sort(),
              },
            }
          : tool,
      );
      for (const { caseId, toolId, setup, call } of mapping) {
        calls.push({
          caseId,
          source: toolId,
          toolId: tool.id,
          ...(setup === undefined ? {} : { setup }),
          call,
        });
      }
      if (module) modules.set(module.id, module);
    }
  }
  for (const tool of tools) {
    if (superseded.has(tool.id)) continue;
    library.set(tool.id, keptTool(tool, places.get(tool.id), reasons.get(tool.id)));
    for (const { id, setup, call } of casesOf.get(tool.id) ?? []) {
      calls.push({
        caseId: id,
        source: tool.id,
        toolId: tool.id,
        ...(setup === undefined ? {} : { setup }),
        call,
      });
    }
  }
  const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return {
    library: [...library.values()].sort((a, b) => byText(a.id, b.id)),
    calls: calls.sort((a, b) => byText(a.toolId, b.toolId) || byText(a.caseId, b.caseId)),
    modules: [...modules.values()].sort((a, b) => byText(a.id, b.id)),
  };
}
