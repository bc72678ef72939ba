import { z } from 'zod';
import type { InferRequest } from '#shared/models/types.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import { planFilter } from '../stages/analyse.ts';
import type { Shard } from '../selection/select.ts';
import type { StageScope } from '../stages/store.ts';
import { planGenerate, type PairShard } from '../stages/synthesise.ts';
import { jobInput, PairShardSchema, PlannedRequests, ShardSchema } from './schemas.ts';

/** `PlanFilter` and `PlanGenerate`: the requests of one child execution. */
export const handler = defineTask({
  name: 'dataset-synthesis/plan',
  input: z.discriminatedUnion('stage', [
    z.object({ ...jobInput, stage: z.literal('filter'), items: z.array(ShardSchema).min(1) }),
    z.object({ ...jobInput, stage: z.literal('generate'), items: z.array(PairShardSchema).min(1) }),
  ]),
  output: PlannedRequests,
  async run(input, ctx) {
    const config = await loadConfig(ctx.artifacts, input.config);
    const keys = keysOf(input.jobId);
    const scope: StageScope = { ctx, config, keys };
    const batch = input.items[0]!.part;
    const requests: AsyncIterable<InferRequest> =
      input.stage === 'filter'
        ? planFilter(scope, input.items as Shard[])
        : planGenerate(scope, input.items as PairShard[]);
    const ref = await writeJsonl(ctx.artifacts, keys.requests(input.stage, batch, ctx.attempt), requests);
    ctx.log.metric('ItemsOut', ref.count ?? 0);
    return {
      requests: ref,
      prefix: keys.inferPrefix(input.stage, batch, ctx.attempt),
      count: ref.count ?? 0,
    };
  },
});
