import { z } from 'zod';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { openShard, planCreate } from '../create/steps.ts';
import { finishedShard } from '../create/store.ts';
import {
  CREATE_STAGES,
  jobInput,
  PlannedStepSchema,
  ShardPointerSchema,
  stepInput,
} from './create-schemas.ts';

/** `PlanExtract`, `PlanFix`, `PlanSolve`, `PlanJudge`, `PlanRefine`: the requests of one step of a shard. */
export const handler = defineTask({
  name: 'tool-library/create-plan',
  input: z.union([
    z.object({ ...stepInput, stage: z.enum(CREATE_STAGES) }),
    z.object({
      ...jobInput,
      stage: z.literal('extract-tools'),
      items: z.array(ShardPointerSchema).length(1),
    }),
  ]),
  output: PlannedStepSchema,
  async run(input, ctx) {
    const config = await loadConfig(ctx.artifacts, input.config);
    if (!('items' in input)) {
      const { part, state, stage, round, turn } = input;
      const planned = await planCreate({ ctx, config, part }, { stage, round, turn }, state);
      return { part, state, ...planned, finished: false };
    }
    const { part, ref } = input.items[0]!;
    const scope = { ctx, config, part };
    if (await finishedShard(scope)) {
      const none = await writeJsonl(ctx.artifacts, `jobs/${input.jobId}/create/none.jsonl`, []);
      return {
        part,
        state: none,
        requests: none,
        prefix: `jobs/${input.jobId}/create/none`,
        count: 0,
        finished: true,
      };
    }
    const state = await openShard(scope, ref);
    return {
      part,
      state,
      ...(await planCreate(scope, { stage: 'extract-tools', round: 1, turn: 0 }, state)),
      finished: false,
    };
  },
});
