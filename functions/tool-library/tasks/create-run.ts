import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { runStep } from '../create/steps.ts';
import { RefSchema, stepInput } from './create-schemas.ts';

/** `RunCases`: each tool's call, and changed ones. `more` counts items to be solved with their tools. */
export const handler = defineTask({
  name: 'tool-library/create-run',
  input: z.object(stepInput),
  output: z.object({ state: RefSchema, more: z.int().nonnegative() }),
  async run({ config: ref, part, round, state }, ctx) {
    const config = await loadConfig(ctx.artifacts, ref);
    return runStep({ ctx, config, part }, round, state);
  },
});
