import type { InferRequest, InferResult } from '#shared/models/types.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { CreateStage } from '../tasks/create-schemas.ts';
import type { ShardRow } from '../ingest/ingest.ts';
import { rows } from '../io.ts';
import { gate } from './gate.ts';
import { applyJudge, admitExecuted, judgeRequests, nextRound } from './judging.ts';
import { runCases } from './run-cases.ts';
import { applySolve, openCount, openTranscripts, solveRequests } from './solving.ts';
import { needsSolving, newItem, type Item } from './state.ts';
import {
  limitsOf,
  planStep,
  readState,
  repliesOf,
  resultsKey,
  runnerOf,
  writeState,
  type Planned,
  type ShardScope,
} from './store.ts';
import {
  applyExtract,
  applyFix,
  applyRefine,
  extractRequests,
  fixRequests,
  refineRequests,
  waitingForFix,
} from './writing.ts';

/** The steps of a shard's create loop, each from the state before to the state after (section 4). */

export interface Step {
  stage: CreateStage;
  round: number;
  turn: number;
}

const nameOf = ({ stage, round, turn }: Step): string =>
  stage === 'solve-with-tools' ? `${stage}-r${round}-t${turn}` : `${stage}-r${round}`;

/** The first state: the shard's rows. */
export async function openShard(scope: ShardScope, ref: ArtifactRef): Promise<ArtifactRef> {
  const items: Item[] = [];
  for await (const row of rows<ShardRow>(scope.ctx.artifacts, ref)) {
    items.push(newItem(row, scope.config.input.validation));
  }
  return writeState(scope, 'begin', items);
}

async function requestsOf(
  scope: ShardScope,
  stage: CreateStage,
  items: readonly Item[],
): Promise<InferRequest[]> {
  switch (stage) {
    case 'extract-tools':
      return extractRequests(items, scope.config);
    case 'fix-syntax':
      return fixRequests(items, scope.config);
    case 'solve-with-tools':
      openTranscripts(items, scope.config);
      return solveRequests(items);
    case 'judge-tools':
      return judgeRequests(items, scope.config);
    case 'refine-tools':
      return refineRequests(items, scope.config);
  }
}

/** `Plan…`: the requests of one role. */
export async function planCreate(scope: ShardScope, step: Step, state: ArtifactRef): Promise<Planned> {
  const items = await readState(scope, state);
  return planStep(scope, nameOf(step), await requestsOf(scope, step.stage, items));
}

export interface Applied {
  state: ArtifactRef;
  /** What the machine's next choice asks: drafts to repair, transcripts that go on, items with another round. */
  more: number;
}

/** `Apply…`: answers become drafts, transcripts, admissions and rejects. */
export async function applyCreate(
  scope: ShardScope,
  step: Step,
  state: ArtifactRef,
  results: ArtifactRef,
): Promise<Applied> {
  const items = await readState(scope, state);
  const name = nameOf(step);
  const requests = await requestsOf(scope, step.stage, items);
  const replies = await repliesOf(scope, name, requests, results);
  const more = await applyTo(scope, step, items, replies);
  return { state: await writeState(scope, name, items), more };
}

async function applyTo(
  scope: ShardScope,
  { stage, round, turn }: Step,
  items: readonly Item[],
  replies: ReadonlyMap<string, InferResult>,
): Promise<number> {
  const { config } = scope;
  switch (stage) {
    case 'extract-tools':
      applyExtract(items, replies, resultsKey(scope, nameOf({ stage, round, turn })));
      return 0;
    case 'fix-syntax':
      applyFix(items, replies);
      return 0;
    case 'solve-with-tools':
      await applySolve(items, replies, turn, config, limitsOf(scope), runnerOf(scope));
      return openCount(items);
    case 'judge-tools':
      applyJudge(items, replies, config);
      return nextRound(items, config);
    case 'refine-tools':
      applyRefine(items, replies);
      return 0;
  }
}

/** `Gate`: drafts parse and keep the policy, or wait for fix-syntax; `fixed` tells the passes of a round apart. */
export async function gateStep(
  scope: ShardScope,
  round: number,
  turn: number,
  state: ArtifactRef,
): Promise<Applied> {
  const items = await readState(scope, state);
  await gate(items, scope.config.input.sandbox.packages);
  return { state: await writeState(scope, `gate-r${round}-${turn}`, items), more: waitingForFix(items) };
}

/** `RunCases`: what executes leaves; `more` counts items that are to be solved with their tools. */
export async function runStep(scope: ShardScope, round: number, state: ArtifactRef): Promise<Applied> {
  const items = await readState(scope, state);
  await runCases(items, limitsOf(scope), runnerOf(scope));
  admitExecuted(items, scope.config);
  return {
    state: await writeState(scope, `cases-r${round}`, items),
    more: items.filter(needsSolving).length,
  };
}
