import type { InferRequest } from '#shared/models/types.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { closeBlueprint, finishedBlueprint, sibsKey } from '../blueprint/close.ts';
import { partPrefix, sourcesOf, type PartScope, type PartSources } from '../blueprint/parts.ts';
import { secondPass, wantsSecondPass } from '../blueprint/pools.ts';
import type { ClusterState } from '../blueprint/state.ts';
import { applyBlueprint, blueprintRequests, type BlueprintStage } from '../blueprint/steps.ts';
import { sandboxLimits } from '../config.ts';
import type { RunBatch } from '../create/run-cases.ts';
import { allRows, rowsIfAny } from '../io.ts';
import { planRequests, repliesTo, type LockstepScope, type Planned } from '../lockstep.ts';
import type { Sib } from '../records.ts';
import { runAll } from '../sandbox.ts';
import type { Draft } from './draft.ts';
import { gateCode } from './gate.ts';
import { applyResolve, openAttempts, resolveRequests } from './resolving.ts';
import { aggregatePrefix, closeAggregate, finishedAggregate } from './results.ts';
import { applyReview, reviewRequests } from './reviewing.ts';
import { runSibCases } from './run.ts';
import { newSib, type SibState } from './state.ts';
import { applyWrite, writeRequests } from './writing.ts';

/** The steps of a part through Blueprint and Aggregate, each from the state before to the state after (section 4). */

export const BLUEPRINT_STAGES = ['blueprint', 'widen-blueprint', 'review-blueprint'] as const;
export const AGGREGATE_STAGES = ['write-code', 'patch-code', 'solve-with-tools', 'review-code'] as const;
export type RefactorStage = (typeof BLUEPRINT_STAGES)[number] | (typeof AGGREGATE_STAGES)[number];

export interface RefactorStep {
  stage: RefactorStage;
  round: number;
  turn: number;
}

type State = (ClusterState | SibState)[];

const isBlueprint = (stage: RefactorStage): stage is BlueprintStage =>
  (BLUEPRINT_STAGES as readonly string[]).includes(stage);

const prefixOf = ({ config, part }: PartScope, blueprint: boolean): string =>
  blueprint ? partPrefix(config.jobId, part) : aggregatePrefix(config.jobId, part);

const lockstep = (scope: PartScope, stage: RefactorStage): LockstepScope => ({
  ctx: scope.ctx,
  prefix: prefixOf(scope, isBlueprint(stage)),
});

const nameOf = ({ stage, round, turn }: RefactorStep): string =>
  turn > 0 ? `${stage}-r${round}-t${turn}` : `${stage}-r${round}`;

const writeState = (
  scope: PartScope,
  blueprint: boolean,
  name: string,
  states: State,
): Promise<ArtifactRef> =>
  writeJsonl(scope.ctx.artifacts, `${prefixOf(scope, blueprint)}/state/${name}.jsonl`, states);

export type Opened = Planned & { part: number; state: ArtifactRef; finished: boolean };

/** The first step of a part: its clusters, or its scenarios, unless an earlier attempt was through with them. */
export async function openPart(scope: PartScope, stage: 'blueprint' | 'write-code'): Promise<Opened> {
  const { ctx, config, part } = scope;
  const sources = await sourcesOf(scope);
  const blueprint = stage === 'blueprint';
  const finished = blueprint
    ? await finishedBlueprint(scope, sources)
    : await finishedAggregate(scope, sources);
  if (finished) {
    const none = await writeState(scope, blueprint, 'none', []);
    return {
      part,
      state: none,
      requests: none,
      prefix: `${prefixOf(scope, blueprint)}/none`,
      count: 0,
      finished: true,
    };
  }
  const states: State = blueprint
    ? sources.clusters.map((cluster): ClusterState => ({ cluster, pass: 1, scenarios: [] }))
    : (await rowsIfAny<Sib>(ctx.artifacts, sibsKey(scope))).map(newSib);
  const state = await writeState(scope, blueprint, 'begin', states);
  return {
    part,
    state,
    ...(await planRefactor({ ctx, config, part }, { stage, round: 1, turn: 0 }, state)),
    finished: false,
  };
}

/** `Plan…`: the requests of one role. */
export async function planRefactor(
  scope: PartScope,
  step: RefactorStep,
  state: ArtifactRef,
): Promise<Planned> {
  const { requests } = await requestsOf(
    scope,
    step,
    await allRows(scope.ctx.artifacts, state),
    await sourcesOf(scope),
  );
  return planRequests(lockstep(scope, step.stage), nameOf(step), requests);
}

async function requestsOf(
  { config }: PartScope,
  { stage, round, turn }: RefactorStep,
  states: State,
  sources: PartSources,
): Promise<{ requests: InferRequest[]; drafts: ReadonlyMap<string, Draft> }> {
  const only = (requests: InferRequest[]) => ({ requests, drafts: new Map<string, Draft>() });
  switch (stage) {
    case 'write-code':
    case 'patch-code':
      return writeRequests(states as SibState[], sources, config);
    case 'solve-with-tools':
      return only(resolveRequests(states as SibState[], sources));
    case 'review-code':
      return only(reviewRequests(states as SibState[], sources, config));
    default:
      return only(blueprintRequests(states as ClusterState[], sources, config, { stage, round, turn }));
  }
}

export interface Applied {
  state: ArtifactRef;
  /** What the machine's next choice asks. */
  more: number;
}

/** `Apply…`: answers become scenarios, code, transcripts and verdicts. */
export async function applyRefactor(
  scope: PartScope,
  step: RefactorStep,
  state: ArtifactRef,
  results: ArtifactRef,
): Promise<Applied> {
  const states = await allRows<ClusterState | SibState>(scope.ctx.artifacts, state);
  const sources = await sourcesOf(scope);
  const { requests, drafts } = await requestsOf(scope, step, states, sources);
  const replies = await repliesTo(lockstep(scope, step.stage), nameOf(step), requests, results);
  const { config } = scope;
  const { stage, turn } = step;
  let more = 0;
  if (stage === 'write-code' || stage === 'patch-code') applyWrite(states as SibState[], replies, drafts);
  else if (stage === 'review-code') more = applyReview(states as SibState[], sources, replies, config);
  else if (stage === 'solve-with-tools') {
    more = await applyResolve(
      states as SibState[],
      sources,
      replies,
      turn,
      config,
      sandboxLimits(config),
      runnerOf(scope),
    );
  } else more = applyBlueprint(states as ClusterState[], replies, config, { ...step, stage });
  return { state: await writeState(scope, isBlueprint(stage), nameOf(step), states), more };
}

/** `GateCode`: the code agent's text becomes functions and calls, or problems. */
export async function gateRefactor(scope: PartScope, round: number, state: ArtifactRef): Promise<Applied> {
  const states = await allRows<SibState>(scope.ctx.artifacts, state);
  await gateCode(states, await sourcesOf(scope), scope.config.input.sandbox.packages);
  return { state: await writeState(scope, false, `gate-r${round}`, states), more: 0 };
}

/** `RunSibCases`: mapped and changed calls; `more` counts attempts at the questions that wait for their first turn. */
export async function runRefactor(scope: PartScope, round: number, state: ArtifactRef): Promise<Applied> {
  const states = await allRows<SibState>(scope.ctx.artifacts, state);
  const sources = await sourcesOf(scope);
  await runSibCases(states, sources, sandboxLimits(scope.config), runnerOf(scope));
  const more = openAttempts(states, sources, scope.config);
  return { state: await writeState(scope, false, `cases-r${round}`, states), more };
}

/** The part's own sandbox. */
const runnerOf =
  ({ ctx, config, part }: PartScope): RunBatch =>
  (requests) =>
    runAll(ctx.runtime, requests, `${config.jobId}/aggregate/${part}`, ctx.signal);

export interface Closed {
  again: boolean;
  state?: ArtifactRef;
  sibs: number;
  covered: number;
  alone: number;
}

/** `CloseBlueprint`: scenarios and loners, or a second pass over what is uncovered. A stop leaves nothing. */
export async function closeBlueprintPart(
  scope: PartScope,
  round: number,
  state: ArtifactRef | undefined,
  stop: string | undefined,
): Promise<Closed> {
  if (!state || stop !== undefined) return { again: false, sibs: 0, covered: 0, alone: 0 };
  const states = await allRows<ClusterState>(scope.ctx.artifacts, state);
  if (wantsSecondPass(states, round)) {
    const { sources } = await sourcesOf(scope);
    const next = secondPass(states, sources, scope.config.input.tree.maxCluster);
    const again = await writeState(scope, true, 'second-pass', next);
    return { again: true, state: again, sibs: 0, covered: 0, alone: 0 };
  }
  const { sibs, covered, alone } = await closeBlueprint(scope, states, await sourcesOf(scope));
  return { again: false, state, sibs, covered, alone };
}

/** `CloseAggregate`: what supersedes tools; with a stop, what was accepted until then. */
export async function closeAggregatePart(scope: PartScope, state: ArtifactRef | undefined): Promise<Closed> {
  const sources = await sourcesOf(scope);
  const states = state
    ? await allRows<SibState>(scope.ctx.artifacts, state)
    : (await rowsIfAny<Sib>(scope.ctx.artifacts, sibsKey(scope))).map(newSib);
  const { sibs, superseded, kept } = await closeAggregate(scope, states, sources);
  return { again: false, ...(state ? { state } : {}), sibs, covered: superseded, alone: kept };
}
