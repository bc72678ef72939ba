import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { report } from '../assemble/report.ts';
import { loadConfig } from '../config.ts';
import { jobInput } from './refactor-schemas.ts';

/** `Report`: whether nothing was lost, and `output/report.json`; `again` asks for another Assemble. */
export const handler = defineTask({
  name: 'tool-library/report',
  evenIfCancelled: true,
  input: z.object({ ...jobInput, pass: z.int().min(1).max(3).default(1) }),
  output: z.object({ again: z.boolean(), coverage: z.number(), partial: z.boolean() }),
  run: async ({ config, pass }, ctx) => report(ctx, await loadConfig(ctx.artifacts, config), pass),
});
