import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { closeShard } from '../create/close.ts';
import { jobInput, RefSchema } from './create-schemas.ts';

/** `CloseShard`: tools, cases and rejects of a shard; with `stop`, of what was through when the job had to end. */
export const handler = defineTask({
  name: 'tool-library/create-close',
  evenIfCancelled: true,
  input: z.object({
    ...jobInput,
    part: z.int().nonnegative(),
    state: RefSchema.optional(),
    stop: z.string().optional(),
  }),
  output: z.object({ admitted: z.int(), rejected: z.int(), open: z.int() }),
  async run({ config: ref, part, state, stop }, ctx) {
    const config = await loadConfig(ctx.artifacts, ref);
    const { admitted, rejected, open } = await closeShard({ ctx, config, part }, state, stop);
    return { admitted, rejected, open };
  },
});
