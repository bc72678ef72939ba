import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { openPart, planRefactor } from '../aggregate/steps.ts';
import { loadConfig } from '../config.ts';
import { PlannedStepSchema } from './create-schemas.ts';
import { jobInput, PartItems, RefactorStageSchema, refactorStep } from './refactor-schemas.ts';

/** `PlanBlueprint` … `PlanPatch`: the requests of one step of a part. */
export const handler = defineTask({
  name: 'tool-library/refactor-plan',
  input: z.union([
    z.object({ ...refactorStep, stage: RefactorStageSchema }),
    z.object({ ...jobInput, stage: z.enum(['blueprint', 'write-code']), items: PartItems }),
  ]),
  output: PlannedStepSchema,
  async run(input, ctx) {
    const config = await loadConfig(ctx.artifacts, input.config);
    if ('items' in input) return openPart({ ctx, config, part: input.items[0]!.part }, input.stage);
    const { part, state, stage, round, turn } = input;
    const planned = await planRefactor({ ctx, config, part }, { stage, round, turn }, state);
    return { part, state, ...planned, finished: false };
  },
});
