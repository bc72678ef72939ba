import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { gateRefactor } from '../aggregate/steps.ts';
import { loadConfig } from '../config.ts';
import { AppliedSchema, refactorStep } from './refactor-schemas.ts';

/** `GateCode`: parse, signature, policy, mapping. */
export const handler = defineTask({
  name: 'tool-library/refactor-gate',
  input: z.object(refactorStep),
  output: AppliedSchema,
  async run({ config: ref, part, round, state }, ctx) {
    return gateRefactor({ ctx, config: await loadConfig(ctx.artifacts, ref), part }, round, state);
  },
});
