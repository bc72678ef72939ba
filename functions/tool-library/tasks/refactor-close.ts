import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { closeAggregatePart, closeBlueprintPart } from '../aggregate/steps.ts';
import { loadConfig } from '../config.ts';
import { jobInput, RefSchema } from './refactor-schemas.ts';

const count = z.int().nonnegative();

/** `CloseBlueprint`, `CloseAggregate`: what a part leaves; with `stop`, of what was through when the job had to end. */
export const handler = defineTask({
  name: 'tool-library/refactor-close',
  evenIfCancelled: true,
  input: z.object({
    ...jobInput,
    stage: z.enum(['blueprint', 'aggregate']),
    part: count,
    round: z.int().min(1).max(3),
    state: RefSchema.optional(),
    stop: z.string().optional(),
  }),
  output: z.object({
    again: z.boolean(),
    state: RefSchema.optional(),
    sibs: count,
    covered: count,
    alone: count,
  }),
  async run({ config: ref, stage, part, round, state, stop }, ctx) {
    const scope = { ctx, config: await loadConfig(ctx.artifacts, ref), part };
    return stage === 'blueprint'
      ? closeBlueprintPart(scope, round, state, stop)
      : closeAggregatePart(scope, state);
  },
});
