import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { verifyPart } from '../assemble/verify.ts';
import { loadConfig } from '../config.ts';
import { jobInput } from './refactor-schemas.ts';

const count = z.int().nonnegative();

/** `VerifyLibrary`: the cases of some tools on the library's files, in fresh processes. */
export const handler = defineTask({
  name: 'tool-library/verify',
  evenIfCancelled: true,
  input: z.object({
    ...jobInput,
    pass: z.int().min(1).max(3).default(1),
    items: z.array(z.strictObject({ part: count, from: count, count })).length(1),
  }),
  output: z.object({ cases: count, passing: count }),
  async run({ config, pass, items }, ctx) {
    const { cases, passing } = await verifyPart(
      ctx,
      await loadConfig(ctx.artifacts, config),
      pass,
      items[0]!,
    );
    return { cases, passing };
  },
});
