import {
  applyRefactor,
  closeAggregatePart,
  closeBlueprintPart,
  gateRefactor,
  openPart,
  planRefactor,
  runRefactor,
  type RefactorStage,
} from '#functions/tool-library/aggregate/steps.ts';
import { resultsKey, type SibResult } from '#functions/tool-library/aggregate/results.ts';
import { assemble } from '#functions/tool-library/assemble/assemble.ts';
import { report } from '#functions/tool-library/assemble/report.ts';
import { verifyPart, type VerifyPart } from '#functions/tool-library/assemble/verify.ts';
import { indexClusters, type PartScope } from '#functions/tool-library/blueprint/parts.ts';
import { sibsKey } from '#functions/tool-library/blueprint/close.ts';
import { allRows } from '#functions/tool-library/io.ts';
import { keys } from '#functions/tool-library/keys.ts';
import type { Cluster, Reject, Sib } from '#functions/tool-library/records.ts';
import type { Case, LibraryTool, Tool, ToolModule } from '#shared/library/types.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { readJson, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { embeddedRuntime } from '#test/support/runtime.ts';
import { answer, configFor, contextOf, runShard, type Script } from './shard-loop.ts';

/** From clusters to a verified library as the state machine drives it; the sandbox is the real one. */

export interface Report {
  counts: Record<string, number>;
  losslessness: { cases: number; passing: number; coverage: number };
  compression: number;
  partial: boolean;
  reinstated: string[];
  kept: { toolId: string; name: string; reason: string }[];
}

export interface Refactored {
  sibs: Sib[];
  results: SibResult[];
  notes: Reject[];
  library: LibraryTool[];
  modules: ToolModule[];
  report: Report;
  asked: InferRequest[];
  passes: number;
}

export interface RefactorOptions {
  input?: Record<string, unknown>;
  script?: Script;
  /** Ids of tools, cluster by cluster; default one of all. */
  clusters?: (tools: readonly Tool[]) => string[][];
  /** Called between Assemble and VerifyLibrary. */
  tamper?: (artifacts: Artifacts, jobId: string, pass: number) => Promise<void>;
  /** The job was stopped before this stage. */
  stopBefore?: 'blueprint' | 'aggregate';
}

/** Tools of one call each: code, call, answer. */
export async function toolsOf(
  rows: readonly { code: string; call: string; answer: number | string }[],
): Promise<{ tools: Tool[]; cases: Case[] }> {
  const { tools, cases, rejects } = await runShard(
    rows.map((row, n) => ({ question: `Question ${n + 1}?`, ...row })),
    { input: { validation: 'execute' } },
  );
  if (rejects.length > 0) throw new Error(JSON.stringify(rejects));
  return { tools, cases };
}

export async function refactorTools(
  { tools, cases }: { tools: Tool[]; cases: Case[] },
  options: RefactorOptions = {},
): Promise<Refactored> {
  const world = await embeddedRuntime();
  try {
    const { artifacts } = world.runtime;
    const config = configFor(options.input ?? {});
    const { jobId } = config;
    const ctx = contextOf(world.runtime);
    const byId = <T extends { id: string }>(list: T[]): T[] =>
      [...list].sort((a, b) => (a.id < b.id ? -1 : 1));
    await writeJsonl(artifacts, keys.tools(jobId), byId(tools));
    await writeJsonl(artifacts, keys.cases(jobId), byId(cases));
    const clusters = (options.clusters?.(tools) ?? [tools.map(({ id }) => id)]).map(
      (toolIds, n): Cluster => ({
        clusterId: `cluster-${n + 1}`,
        path: ['tools', `topic ${n + 1}`],
        description: 'Tools of one topic.',
        toolIds: [...toolIds].sort(),
      }),
    );
    await writeJsonl(artifacts, keys.clusters(jobId), clusters);
    const { parts } = await indexClusters(ctx, config);
    const asked: InferRequest[] = [];
    const script = options.script ?? (() => undefined);
    for (let part = 0; part < parts; part++) {
      const scope = { ctx, config, part };
      if (options.stopBefore !== 'blueprint') await blueprint(scope, script, asked);
      if (options.stopBefore === undefined) await aggregate(scope, script, asked);
    }
    if (options.stopBefore) await writeJson(artifacts, `jobs/${jobId}/stops/1.json`, { stop: 'budget' });
    let pass = 1;
    for (; ; pass++) {
      const { index } = await assemble(ctx, config, pass);
      await options.tamper?.(artifacts, jobId, pass);
      for (const item of await allRows<VerifyPart>(artifacts, index))
        await verifyPart(ctx, config, pass, item);
      if (!(await report(ctx, config, pass)).again) break;
    }
    const all = async <T>(key: (part: number) => string): Promise<T[]> => {
      const rows: T[] = [];
      for (let part = 0; part < parts; part++) rows.push(...(await rowsOrNone<T>(artifacts, key(part))));
      return rows;
    };
    return {
      sibs: await all<Sib>((part) => sibsKey({ ctx, config, part })),
      results: await all<SibResult>((part) => resultsKey(jobId, part)),
      notes: [
        ...(await all<Reject>((part) => keys.rejects(jobId, 'blueprint', part))),
        ...(await all<Reject>((part) => keys.rejects(jobId, 'aggregate', part))),
      ],
      library: await allRows<LibraryTool>(artifacts, keys.library(jobId, 'tools')),
      modules: await allRows<ToolModule>(artifacts, keys.library(jobId, 'modules')),
      report: (await readJson(artifacts, keys.report(jobId))) as Report,
      asked,
      passes: pass,
    };
  } finally {
    await world.close();
  }
}

const rowsOrNone = async <T>(artifacts: Artifacts, key: string): Promise<T[]> =>
  allRows<T>(artifacts, key).catch(() => []);

interface Driver {
  scope: PartScope;
  script: Script;
  asked: InferRequest[];
  state: ArtifactRef;
}

async function answered(driver: Driver, requests: ArtifactRef, name: string): Promise<ArtifactRef> {
  const { artifacts } = driver.scope.ctx;
  const results: InferResult[] = [];
  for (const request of await allRows<InferRequest>(artifacts, requests)) {
    driver.asked.push(request);
    results.push(await answer(request, driver.script));
  }
  return writeJsonl(artifacts, `results/${driver.scope.part}-${name}.jsonl`, results);
}

async function role(
  driver: Driver,
  stage: RefactorStage,
  round: number,
  turn: number,
  first?: ArtifactRef,
): Promise<number> {
  const step = { stage, round, turn };
  const requests = first ?? (await planRefactor(driver.scope, step, driver.state)).requests;
  const results = await answered(driver, requests, `${stage}-${round}-${turn}`);
  const applied = await applyRefactor(driver.scope, step, driver.state, results);
  driver.state = applied.state;
  return applied.more;
}

async function blueprint(scope: PartScope, script: Script, asked: InferRequest[]): Promise<void> {
  const opened = await openPart(scope, 'blueprint');
  const driver: Driver = { scope, script, asked, state: opened.state };
  for (let round = 1; ; round++) {
    let more = await role(driver, 'blueprint', round, 0, round === 1 ? opened.requests : undefined);
    for (let turn = 1; more > 0; turn++) {
      if ((await role(driver, 'widen-blueprint', round, turn)) === 0) break;
      more = await role(driver, 'review-blueprint', round, turn);
    }
    const { again, state } = await closeBlueprintPart(scope, round, driver.state, undefined);
    if (!again) return;
    driver.state = state!;
  }
}

async function aggregate(scope: PartScope, script: Script, asked: InferRequest[]): Promise<void> {
  const opened = await openPart(scope, 'write-code');
  const driver: Driver = { scope, script, asked, state: opened.state };
  await role(driver, 'write-code', 1, 0, opened.requests);
  for (let round = 1; ; round++) {
    ({ state: driver.state } = await gateRefactor(scope, round, driver.state));
    const ran = await runRefactor(scope, round, driver.state);
    driver.state = ran.state;
    let { more } = ran;
    for (let turn = 1; more > 0; turn++) more = await role(driver, 'solve-with-tools', round, turn);
    if ((await role(driver, 'review-code', round, 0)) === 0) break;
    await role(driver, 'patch-code', round + 1, 0);
  }
  await closeAggregatePart(scope, driver.state);
}
