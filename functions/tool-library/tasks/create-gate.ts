import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { gateStep } from '../create/steps.ts';
import { RefSchema, stepInput } from './create-schemas.ts';

/** `Gate`: parse, call, schema, policy. `more` counts drafts that fix-syntax is asked about. */
export const handler = defineTask({
  name: 'tool-library/create-gate',
  input: z.object(stepInput),
  output: z.object({ state: RefSchema, more: z.int().nonnegative() }),
  async run({ config: ref, part, round, turn, state }, ctx) {
    const config = await loadConfig(ctx.artifacts, ref);
    return gateStep({ ctx, config, part }, round, turn, state);
  },
});
