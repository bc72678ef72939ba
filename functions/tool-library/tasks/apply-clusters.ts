import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { applyAssign } from '../clustering/assign.ts';
import { applySeed } from '../clustering/seed.ts';
import type { ClusteringScope } from '../clustering/store.ts';
import { applyUpdate } from '../clustering/update.ts';
import { loadConfig } from '../config.ts';
import { assignStage, RefSchema, seedStage, updateStage } from './clustering-schemas.ts';

const answered = { requests: RefSchema, results: RefSchema };
const count = z.int().nonnegative();

/** `ApplySeed`, `ApplyUpdate`, `ApplyAssign`: answers become tree and assignments. `more` asks for another round. */
export const handler = defineTask({
  name: 'tool-library/apply-clusters',
  input: z.discriminatedUnion('stage', [
    z.object({ ...seedStage, ...answered }),
    z.object({ ...updateStage, ...answered }),
    z.object({ ...assignStage, ...answered }),
  ]),
  output: z.union([
    z.object({
      more: z.boolean(),
      try: count,
      origin: z.enum(['builtin', 'model', 'fallback']).optional(),
      leaves: count,
      refused: count,
      updates: count,
      segments: count,
    }),
    z.object({ more: z.boolean(), try: count, update: count, refused: count }),
    z.object({ more: z.boolean(), try: count, assigned: count, open: count }),
  ]),
  async run(input, ctx) {
    const scope: ClusteringScope = { ctx, config: await loadConfig(ctx.artifacts, input.config) };
    switch (input.stage) {
      case 'seed-clusters':
        return applySeed(scope, input.try, input);
      case 'update-clusters':
        return applyUpdate(scope, input, input);
      case 'assign-clusters':
        return applyAssign(scope, input.version, input.items, input.try, input);
    }
  },
});
