import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { applyCreate } from '../create/steps.ts';
import { CREATE_STAGES, RefSchema, stepInput } from './create-schemas.ts';

/** `ApplyExtract` … `ApplyRefine`: what came of one step's requests. */
export const handler = defineTask({
  name: 'tool-library/create-apply',
  input: z.object({ ...stepInput, stage: z.enum(CREATE_STAGES), results: RefSchema }),
  output: z.object({ state: RefSchema, more: z.int().nonnegative() }),
  async run({ jobId: _job, config: ref, part, state, results, ...step }, ctx) {
    const config = await loadConfig(ctx.artifacts, ref);
    return applyCreate({ ctx, config, part }, step, state, results);
  },
});
