import { writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { keys, partName } from '../keys.ts';
import { finishedShard, readState, shardDoneKey, type ShardDone, type ShardScope } from './store.ts';

/** What a shard leaves: its tools, cases and rejects, and the marker that it need not run again. */

/** @param stop why the shard ends before its items are through, where it does. */
export async function closeShard(
  scope: ShardScope,
  state: ArtifactRef | undefined,
  stop: string | undefined,
): Promise<ShardDone> {
  const finished = await finishedShard(scope);
  if (finished) return finished;
  const { ctx, config, part } = scope;
  const { jobId } = config;
  const items = state ? await readState(scope, state) : [];
  const admitted = items.flatMap((item) => item.admitted);
  // The state holds each draft as it was refused, what it gave and how it was used.
  const evidence = state === undefined ? {} : { evidence: state.key };
  const rejects = items
    .filter(({ status }) => status === 'done')
    .flatMap((item) => item.rejects.map((reject) => ({ ...evidence, ...reject })));
  const open = state ? items.filter(({ status }) => status === 'live').length : 1;
  await writeJsonl(
    ctx.artifacts,
    keys.createdTools(jobId, part),
    admitted.map(({ tool }) => tool),
  );
  await writeJsonl(
    ctx.artifacts,
    keys.createdCases(jobId, part),
    admitted.flatMap(({ cases }) => cases),
  );
  await writeJsonl(ctx.artifacts, keys.rejects(jobId, 'create', part), rejects);
  const done: ShardDone = {
    configHash: config.configHash,
    admitted: admitted.length,
    rejected: rejects.length,
    open,
    ...(open > 0 && stop !== undefined ? { stop } : {}),
  };
  await writeJson(ctx.artifacts, shardDoneKey(scope), done);
  await ctx.jobs.advance(jobId, 'CreateTools', partName(part), items.length);
  return done;
}
