import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { applyRefactor } from '../aggregate/steps.ts';
import { loadConfig } from '../config.ts';
import { AppliedSchema, RefactorStageSchema, refactorStep, RefSchema } from './refactor-schemas.ts';

/** `ApplyBlueprint` … `ApplyPatch`: what came of one step's requests. */
export const handler = defineTask({
  name: 'tool-library/refactor-apply',
  input: z.object({ ...refactorStep, stage: RefactorStageSchema, results: RefSchema }),
  output: AppliedSchema,
  async run({ jobId: _job, config: ref, part, state, results, ...step }, ctx) {
    const config = await loadConfig(ctx.artifacts, ref);
    return applyRefactor({ ctx, config, part }, step, state, results);
  },
});
