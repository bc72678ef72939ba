import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { jsonIfAny, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { sandboxLimits, type ToolLibraryConfig } from '../config.ts';
import { allRows } from '../io.ts';
import { keys } from '../keys.ts';
import { planRequests, repliesTo, resultsAt, type LockstepScope, type Planned } from '../lockstep.ts';
import { runAll } from '../sandbox.ts';
import type { Limits, RunBatch } from './run-cases.ts';
import type { Item } from './state.ts';

/** What the steps of a shard read and write. */

export interface ShardScope {
  ctx: TaskContext;
  config: ToolLibraryConfig;
  part: number;
}

/** The marker of a shard that is through. */
export interface ShardDone {
  configHash: string;
  admitted: number;
  rejected: number;
  /** Items that a resumed job goes on with: budget, cancellation or a lost model stopped them. */
  open: number;
  /** Why they are open. */
  stop?: string;
}

const at = ({ config, part }: ShardScope, path: string): string =>
  `${keys.createPrefix(config.jobId, part)}/${path}`;

export type { Planned };

export const readState = ({ ctx }: ShardScope, ref: ArtifactRef): Promise<Item[]> =>
  allRows<Item>(ctx.artifacts, ref);

/** Writes the state after a step; `step` is unique in the shard. */
export const writeState = (scope: ShardScope, step: string, items: readonly Item[]): Promise<ArtifactRef> =>
  writeJsonl(scope.ctx.artifacts, at(scope, `state/${step}.jsonl`), items);

const doneKey = (scope: ShardScope): string => at(scope, 'done.json');
export { doneKey as shardDoneKey };

/** The marker of a shard that need not run again. */
export async function finishedShard(scope: ShardScope): Promise<ShardDone | undefined> {
  const done = await jsonIfAny<ShardDone>(scope.ctx.artifacts, doneKey(scope));
  return done?.configHash === scope.config.configHash && done.open === 0 ? done : undefined;
}

const lockstep = ({ ctx, config, part }: ShardScope): LockstepScope => ({
  ctx,
  prefix: keys.createPrefix(config.jobId, part),
});

/** Where the answers of a step are kept, over attempts. */
export const resultsKey = (scope: ShardScope, step: string): string => resultsAt(lockstep(scope), step);

export const planStep = (
  scope: ShardScope,
  step: string,
  requests: readonly InferRequest[],
): Promise<Planned> => planRequests(lockstep(scope), step, requests);

export const repliesOf = (
  scope: ShardScope,
  step: string,
  requests: readonly InferRequest[],
  results: ArtifactRef,
): Promise<Map<string, InferResult>> => repliesTo(lockstep(scope), step, requests, results);

export const limitsOf = (scope: ShardScope): Limits => sandboxLimits(scope.config);

/** The shard's own sandbox. */
export const runnerOf =
  ({ ctx, config, part }: ShardScope): RunBatch =>
  (requests) =>
    runAll(ctx.runtime, requests, `${config.jobId}/create/${part}`, ctx.signal);
