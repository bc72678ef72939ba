import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { runRefactor } from '../aggregate/steps.ts';
import { loadConfig } from '../config.ts';
import { AppliedSchema, refactorStep } from './refactor-schemas.ts';

/** `RunSibCases`: mapped and changed calls. `more` counts attempts at the covered questions. */
export const handler = defineTask({
  name: 'tool-library/refactor-run',
  input: z.object(refactorStep),
  output: AppliedSchema,
  async run({ config: ref, part, round, state }, ctx) {
    return runRefactor({ ctx, config: await loadConfig(ctx.artifacts, ref), part }, round, state);
  },
});
