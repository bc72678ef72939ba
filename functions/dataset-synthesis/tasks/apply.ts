import { z } from 'zod';
import type { InferRequest } from '#shared/models/types.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import type { Shard } from '../selection/select.ts';
import { applyFilter, applyIdentify } from '../stages/analyse.ts';
import { batchResults, type PartDone, type StageScope } from '../stages/store.ts';
import { applyCheck, applyGenerate, type PairShard } from '../stages/synthesise.ts';
import { jobInput, PairShardSchema, PlannedRequests, RefSchema, ShardSchema } from './schemas.ts';

const answered = {
  ...jobInput,
  /** Absent where inference was stopped. */
  results: RefSchema.optional(),
  prefix: z.string(),
  stop: z.enum(['budget', 'provider']).optional(),
};
const documents = { ...answered, items: z.array(ShardSchema).min(1) };
const pairs = { ...answered, items: z.array(PairShardSchema).min(1) };

/** `ApplyFilter` … `ApplyCheck`: answers become records, rejects and the next stage's requests. */
export const handler = defineTask({
  name: 'dataset-synthesis/apply',
  input: z.discriminatedUnion('stage', [
    z.object({ ...documents, stage: z.literal('filter') }),
    z.object({ ...documents, stage: z.literal('identify') }),
    z.object({ ...pairs, stage: z.literal('generate') }),
    z.object({ ...pairs, stage: z.literal('check') }),
  ]),
  output: z.union([PlannedRequests, z.object({ parts: z.int(), accepted: z.int(), open: z.int() })]),
  async run(input, ctx) {
    const config = await loadConfig(ctx.artifacts, input.config);
    const keys = keysOf(input.jobId);
    const scope: StageScope = { ctx, config, keys };
    const batch = await batchResults(scope, input);
    const first = input.items[0]!.part;
    const next = async (stage: 'identify' | 'check', requests: AsyncIterable<InferRequest>) => {
      const ref = await writeJsonl(ctx.artifacts, keys.requests(stage, first, ctx.attempt), requests);
      return { requests: ref, prefix: keys.inferPrefix(stage, first, ctx.attempt), count: ref.count ?? 0 };
    };
    if (input.stage === 'filter') return next('identify', applyFilter(scope, input.items as Shard[], batch));
    if (input.stage === 'generate')
      return next('check', applyGenerate(scope, input.items as PairShard[], batch));
    const done =
      input.stage === 'identify'
        ? await applyIdentify(scope, input.items as Shard[], batch)
        : await applyCheck(scope, input.items as PairShard[], batch);
    const sum = (field: 'accepted' | 'open'): number =>
      done.reduce((total: number, part: PartDone) => total + part[field], 0);
    return { parts: done.length, accepted: sum('accepted'), open: sum('open') };
  },
});
