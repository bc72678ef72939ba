import type { Case, LibraryTool, Mapping, ToolModule } from '#shared/library/types.ts';
import type { SandboxRequest, SandboxResult } from '#shared/sandbox/types.ts';
import { jsonIfAny, writeJson } from '#shared/storage/jsonl.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { passes, resultText } from '../cases.ts';
import { sandboxLimits, type ToolLibraryConfig } from '../config.ts';
import { rows, rowsIfAny } from '../io.ts';
import { keys, partName } from '../keys.ts';
import { runAll } from '../sandbox.ts';

/**
 * VerifyLibrary (section 9): every case through its mapped call on the files as they are published, in processes of its
 * own. What fails once is run again with more time: a busy machine loses no tool.
 */

export interface VerifyPart {
  part: number;
  /** Lines of library/tools.jsonl, from 0. */
  from: number;
  count: number;
}

export interface VerifyFailure {
  /** The library's tool, its name, and whether it supersedes others. */
  toolId: string;
  tool: string;
  aggregated: boolean;
  /** The tools it was made of. */
  sources: string[];
  caseId: string;
  given: string;
}

export interface Verified {
  cases: number;
  passing: number;
  failures: VerifyFailure[];
}

const partKey = (jobId: string, pass: number, part: number): string =>
  keys.verify(jobId, `${pass}/${partName(part)}.json`);

interface MappedCase {
  tool: LibraryTool;
  mapping: Mapping;
  own: Case;
  request: SandboxRequest;
}

export async function verifyPart(
  ctx: TaskContext,
  config: ToolLibraryConfig,
  pass: number,
  item: VerifyPart,
): Promise<Verified> {
  const { jobId } = config;
  const unit = `${jobId}/verify/${pass}/${item.part}`;
  const mapped = await mappedCases(ctx, config, item);
  const run = (cases: readonly MappedCase[], name: string): Promise<Map<string, SandboxResult>> =>
    runAll(
      ctx.runtime,
      cases.map(({ request }) => request),
      `${unit}/${name}`,
      ctx.signal,
    );
  const results = await run(mapped, 'first');
  const failed = mapped.filter(({ own, request }) => !passes(own, results.get(request.id)));
  const slow = failed.map((each) => ({
    ...each,
    request: { ...each.request, timeoutMs: Math.min(300_000, each.request.timeoutMs * 3) },
  }));
  for (const [id, result] of await run(slow, 'again')) results.set(id, result);
  const failures = failed
    .filter(({ own, request }) => !passes(own, results.get(request.id)))
    .map(({ tool, mapping, request }): VerifyFailure => ({
      toolId: tool.id,
      tool: tool.name,
      aggregated: tool.sibId !== undefined,
      sources: tool.sibId === undefined ? [tool.id] : tool.lineage.parents,
      caseId: mapping.caseId,
      given: resultText(results.get(request.id)),
    }));
  const verified = { cases: mapped.length, passing: mapped.length - failures.length, failures };
  await writeJson(ctx.artifacts, partKey(jobId, pass, item.part), verified);
  await ctx.jobs.advance(jobId, 'VerifyLibrary', partName(item.part), item.count);
  return verified;
}

/** The part's calls, from nothing but the library's files. */
async function mappedCases(
  { artifacts }: TaskContext,
  config: ToolLibraryConfig,
  { from, count }: VerifyPart,
): Promise<MappedCase[]> {
  const { jobId } = config;
  const tools: LibraryTool[] = [];
  let line = 0;
  for await (const tool of rows<LibraryTool>(artifacts, keys.library(jobId, 'tools'))) {
    if (line >= from + count) break;
    if (line++ >= from) tools.push(tool);
  }
  const wanted = new Set(tools.flatMap(({ mapping }) => mapping.map(({ caseId }) => caseId)));
  const cases = new Map<string, Case>();
  for await (const each of rows<Case>(artifacts, keys.library(jobId, 'cases'))) {
    if (wanted.has(each.id)) cases.set(each.id, each);
  }
  const modules = new Map(
    (await rowsIfAny<ToolModule>(artifacts, keys.library(jobId, 'modules'))).map(({ id, code }) => [
      id,
      code,
    ]),
  );
  const limits = sandboxLimits(config);
  return tools.flatMap((tool, at) =>
    tool.mapping.flatMap((mapping, n): MappedCase[] => {
      const own = cases.get(mapping.caseId);
      if (!own) return [];
      const module = tool.moduleId === undefined ? undefined : modules.get(tool.moduleId);
      const request: SandboxRequest = {
        ...limits,
        id: `${at}.${n}`,
        code: module === undefined ? tool.code : `${module}\n\n${tool.code}`,
        call: mapping.call,
        ...(mapping.setup === undefined ? {} : { setup: mapping.setup }),
      };
      return [{ tool, mapping, own, request }];
    }),
  );
}

/** What a pass found, over all its parts. */
export async function verifiedIn(ctx: TaskContext, jobId: string, pass: number): Promise<Verified> {
  const all: Verified = { cases: 0, passing: 0, failures: [] };
  for (const { part } of await rowsIfAny<VerifyPart>(ctx.artifacts, keys.verify(jobId, 'index.jsonl'))) {
    const verified = await jsonIfAny<Verified>(ctx.artifacts, partKey(jobId, pass, part));
    if (!verified) continue;
    all.cases += verified.cases;
    all.passing += verified.passing;
    all.failures.push(...verified.failures);
  }
  return all;
}

/** Failures of an earlier pass: its parts are found by listing, for the index is the next pass's by then. */
export async function failuresOf(ctx: TaskContext, jobId: string, pass: number): Promise<VerifyFailure[]> {
  const failures: VerifyFailure[] = [];
  let after: string | undefined;
  do {
    const page = await ctx.artifacts.list({
      prefix: keys.verify(jobId, `${pass}/`),
      ...(after === undefined ? {} : { after }),
    });
    for (const { key } of page.objects) {
      failures.push(...((await jsonIfAny<Verified>(ctx.artifacts, key))?.failures ?? []));
    }
    after = page.next;
  } while (after !== undefined);
  return failures;
}
