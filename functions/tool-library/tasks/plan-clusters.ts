import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { planAssign } from '../clustering/assign.ts';
import { planSeed } from '../clustering/seed.ts';
import type { ClusteringScope, Planned } from '../clustering/store.ts';
import { planUpdate } from '../clustering/update.ts';
import { loadConfig } from '../config.ts';
import { assignStage, PlannedSchema, seedStage, updateStage } from './clustering-schemas.ts';

/** `PlanSeed`, `PlanUpdate`, `PlanAssign`: tools and tree become requests. */
export const handler = defineTask({
  name: 'tool-library/plan-clusters',
  input: z.discriminatedUnion('stage', [z.object(seedStage), z.object(updateStage), z.object(assignStage)]),
  output: PlannedSchema,
  async run(input, ctx): Promise<Planned> {
    const scope: ClusteringScope = { ctx, config: await loadConfig(ctx.artifacts, input.config) };
    switch (input.stage) {
      case 'seed-clusters':
        return planSeed(scope, input.try);
      case 'update-clusters':
        return planUpdate(scope, input.update, input.try);
      case 'assign-clusters':
        return planAssign(scope, input.version, input.items, input.try);
    }
  },
});
