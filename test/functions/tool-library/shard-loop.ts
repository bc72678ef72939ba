import { ToolLibraryInputSchema, ROLE_KEYS, type RoleKey } from '#functions/tool-library/input.ts';
import type { ToolLibraryConfig } from '#functions/tool-library/config.ts';
import { closeShard } from '#functions/tool-library/create/close.ts';
import type { Item } from '#functions/tool-library/create/state.ts';
import {
  applyCreate,
  gateStep,
  openShard,
  planCreate,
  runStep,
} from '#functions/tool-library/create/steps.ts';
import { readState, type ShardDone, type ShardScope } from '#functions/tool-library/create/store.ts';
import { readRow } from '#functions/tool-library/ingest/rows.ts';
import type { ShardRow } from '#functions/tool-library/ingest/ingest.ts';
import { allRows } from '#functions/tool-library/io.ts';
import { keys } from '#functions/tool-library/keys.ts';
import { roles } from '#functions/tool-library/roles.ts';
import type { Reject } from '#functions/tool-library/records.ts';
import type { CreateStage } from '#functions/tool-library/tasks/create-schemas.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import type { Case, Tool } from '#shared/library/types.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Json } from '#shared/storage/ports.ts';
import type { TaskContext } from '#shared/task/context.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { embeddedRuntime } from '#test/support/runtime.ts';

/** A shard's create loop as the state machine drives it, with answers from the test; the sandbox is the real one. */

/** An answer's output, or undefined for the builtin's. `raw` is a reply that could not be read. */
export type Script = (request: InferRequest) => object | { raw: string } | undefined;

export interface LoopResult {
  items: Item[];
  tools: Tool[];
  cases: Case[];
  rejects: Reject[];
  done: ShardDone;
  /** Every request, in order. */
  asked: InferRequest[];
}

export function configFor(input: Record<string, unknown>): ToolLibraryConfig {
  const each = <T>(value: T) =>
    Object.fromEntries(ROLE_KEYS.map((key) => [key, value])) as Record<RoleKey, T>;
  return {
    jobId: 'tool-library.aaaaaaaaaaaaaaaaaaaaaaaaaa',
    input: ToolLibraryInputSchema.parse({ source: 'x.jsonl', libraryId: 'tests', ...input }),
    models: each('builtin'),
    solvers: ['builtin'],
    builtin: each(true),
    roles: {},
    sourceHash: '',
    configHash: 'test',
  };
}

/** Runs rows through the loop. `world` is opened and closed here. */
export async function runShard(
  rows: readonly Json[],
  options: { input?: Record<string, unknown>; script?: Script } = {},
): Promise<LoopResult> {
  const world = await embeddedRuntime();
  try {
    const config = configFor(options.input ?? {});
    const ctx = contextOf(world.runtime);
    const scope: ShardScope = { ctx, config, part: 0 };
    const ref = await writeJsonl(
      ctx.artifacts,
      'rows.jsonl',
      rows.map((row, n) => asShardRow(row, n + 1, config)),
    );
    return await driveShard(scope, ref, options.script ?? (() => undefined));
  } finally {
    await world.close();
  }
}

/** What tasks are given. */
export const contextOf = (runtime: Runtime): TaskContext =>
  ({
    runtime,
    artifacts: runtime.artifacts,
    attempt: 1,
    jobs: { advance: () => Promise.resolve() },
    signal: new AbortController().signal,
  }) as unknown as TaskContext;

function asShardRow(row: Json, line: number, config: ToolLibraryConfig): ShardRow {
  const read = readRow(row, line, config.input);
  if (read.kind === 'reject') throw new Error(read.reject.message);
  return read;
}

/** Runs a shard's rows through the loop. */
export async function driveShard(scope: ShardScope, rows: ArtifactRef, script: Script): Promise<LoopResult> {
  const { artifacts } = scope.ctx;
  const asked: InferRequest[] = [];
  let state = await openShard(scope, rows);
  const role = async (stage: CreateStage, round: number, turn = 0): Promise<number> => {
    const step = { stage, round, turn };
    const { requests } = await planCreate(scope, step, state);
    const results: InferResult[] = [];
    for (const request of await allRows<InferRequest>(artifacts, requests)) {
      asked.push(request);
      results.push(await answer(request, script));
    }
    const key = `results-${scope.part}-${stage}-${round}-${turn}.jsonl`;
    const applied = await applyCreate(scope, step, state, await writeJsonl(artifacts, key, results));
    ({ state } = applied);
    return applied.more;
  };
  await role('extract-tools', 1);
  const { solve, rounds } = scope.config.input;
  for (let round = 1; ; round++) {
    const gated = await gateStep(scope, round, 0, state);
    ({ state } = gated);
    if (gated.more > 0) {
      await role('fix-syntax', round);
      ({ state } = await gateStep(scope, round, 1, state));
    }
    const ran = await runStep(scope, round, state);
    ({ state } = ran);
    const turns = solve.maxTurns + (solve.counterfactual ? 1 : 0);
    let more = ran.more;
    for (let turn = 1; more > 0 && turn <= turns; turn++) more = await role('solve-with-tools', round, turn);
    if ((await role('judge-tools', round)) === 0 || round === rounds.create) break;
    await role('refine-tools', round + 1);
  }
  const done = await closeShard(scope, state, undefined);
  const { jobId } = scope.config;
  return {
    items: await readState(scope, state),
    tools: await allRows<Tool>(artifacts, keys.createdTools(jobId, scope.part)),
    cases: await allRows<Case>(artifacts, keys.createdCases(jobId, scope.part)),
    rejects: await allRows<Reject>(artifacts, keys.rejects(jobId, 'create', scope.part)),
    done,
    asked,
  };
}

export async function answer(request: InferRequest, script: Script): Promise<InferResult> {
  const { id, role, model } = request;
  const scripted = script(request);
  const base = {
    id,
    role,
    model,
    provider: 'builtin' as const,
    repairs: [],
    tokens: { input: 0, output: 0 },
    cacheKey: id,
  };
  if (scripted && 'raw' in scripted) {
    const error = {
      code: 'PARSE_ERROR' as const,
      message: 'The reply is no JSON.',
      retryable: false,
      raw: scripted.raw,
    };
    return { ...base, status: 'rejected', finish: 'stop', text: scripted.raw, error };
  }
  const played = roles.find(({ name }) => name === role.name)!;
  const output = scripted ?? (await played.builtin!(played.input.parse(request.input), seededRng(id)));
  return {
    ...base,
    status: 'ok',
    finish: 'stop',
    text: JSON.stringify(output),
    output: played.output.parse(output),
  };
}
