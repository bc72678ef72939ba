import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { sandboxLimits, type ToolLibraryConfig } from '../config.ts';
import { allRows, jsonIfAny, rowsIfAny } from '../io.ts';
import { keys } from '../keys.ts';
import { runAll } from '../sandbox.ts';
import type { Limits, RunBatch } from './run-cases.ts';
import { inputHash } from './solving.ts';
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

/** Where the answers of a step are kept, over attempts. */
export const resultsKey = (scope: ShardScope, step: string): string => at(scope, `results/${step}.jsonl`);

/** An answer with what it answers: another prompt, model or tool makes it another question. */
interface Remembered {
  hash: string;
  result: InferResult;
}

const settled = async (scope: ShardScope, step: string): Promise<Map<string, InferResult>> => {
  const known = await rowsIfAny<Remembered>(scope.ctx.artifacts, resultsKey(scope, step));
  return new Map(known.map(({ hash, result }) => [`${result.id} ${hash}`, result]));
};

export interface Planned {
  requests: ArtifactRef;
  prefix: string;
  count: number;
}

/** Writes the requests that an earlier attempt has no answer to. */
export async function planStep(
  scope: ShardScope,
  step: string,
  requests: readonly InferRequest[],
): Promise<Planned> {
  const known = await settled(scope, step);
  const asked = requests.filter((request) => !known.has(`${request.id} ${inputHash(request)}`));
  const prefix = at(scope, `${step}.${scope.ctx.attempt}`);
  const ref = await writeJsonl(scope.ctx.artifacts, `${prefix}.requests.jsonl`, asked);
  return { requests: ref, prefix, count: asked.length };
}

/** The answers to a step's requests, this attempt's and earlier ones', by request id; they are kept. */
export async function repliesOf(
  scope: ShardScope,
  step: string,
  requests: readonly InferRequest[],
  results: ArtifactRef,
): Promise<Map<string, InferResult>> {
  const fresh = new Map<string, InferResult>();
  for (const result of await allRows<InferResult>(scope.ctx.artifacts, results)) {
    // A second pass over failures appends its answer after the first one's.
    const before = fresh.get(result.id);
    if (!before || before.status === 'failed') fresh.set(result.id, result);
  }
  const known = await settled(scope, step);
  const replies = new Map<string, InferResult>();
  const kept: Remembered[] = [];
  for (const request of requests) {
    const hash = inputHash(request);
    const result = known.get(`${request.id} ${hash}`) ?? fresh.get(request.id);
    if (!result) continue;
    replies.set(request.id, result);
    if (result.status !== 'failed') kept.push({ hash, result });
  }
  await writeJsonl(scope.ctx.artifacts, resultsKey(scope, step), kept);
  return replies;
}

export const limitsOf = (scope: ShardScope): Limits => sandboxLimits(scope.config);

/** The shard's own sandbox. */
export const runnerOf =
  ({ ctx, config, part }: ShardScope): RunBatch =>
  (requests) =>
    runAll(ctx.runtime, requests, `${config.jobId}/create/${part}`, ctx.signal);
