import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { publishLibrary } from '../publish/publish.ts';
import { jobInput } from './clustering-schemas.ts';

/** `Publish`: manifest, alias, then `_SUCCESS` of the library. Works for a cancelled job too: what it has is published. */
export const handler = defineTask({
  name: 'tool-library/publish',
  input: z.object(jobInput),
  output: z.object({
    libraryId: z.string(),
    version: z.string(),
    number: z.int().positive(),
    tools: z.int().nonnegative(),
    partial: z.boolean(),
    alias: z.string().optional(),
  }),
  evenIfCancelled: true,
  async run(input, ctx) {
    return publishLibrary(ctx, await loadConfig(ctx.artifacts, input.config));
  },
});
