import { z } from 'zod';
import { loadRegistry } from '#shared/models/registry.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import { estimate } from '../selection/estimate.ts';
import { planPairs } from '../stages/plan-pairs.ts';
import { toleranceFault } from '../tolerance.ts';
import { Fault, jobInput, RefSchema } from './schemas.ts';

/** `PlanPairs`: `pairs/plan.jsonl`, the tolerance of analysis, and what generation will cost. */
export const handler = defineTask({
  name: 'dataset-synthesis/plan-pairs',
  input: z.object(jobInput),
  output: z.object({ plan: RefSchema, pairs: z.int(), fault: Fault }),
  async run({ jobId, config: ref }, ctx) {
    const config = await loadConfig(ctx.artifacts, ref);
    const summary = await planPairs({ ctx, config, keys: keysOf(jobId) });
    const failed = summary.filter.failed + summary.identify.failed + summary.lost;
    const subjects = summary.filter.planned + summary.lost;
    const fault = toleranceFault('documents', { failed, subjects }, config.input.tolerance.failedPercent);
    const registry = await loadRegistry(ctx.runtime);
    const { analysed, tokens, pairs } = summary;
    const mean = pairs === 0 ? 0 : tokens / pairs;
    const { byRole } = estimate(
      config,
      registry,
      analysed,
      mean * analysed,
      ctx.runtime.clock.now(),
      pairs,
    ).expected;
    await ctx.jobs.event(jobId, {
      level: 'info',
      stage: 'PlanPairs',
      message: `${pairs} pairs planned from ${analysed} documents.`,
      data: { forecastMicroUsd: byRole.generate.costMicros + byRole.check.costMicros },
    });
    if (pairs > 0) await ctx.jobs.stage(jobId, 'SynthesisePairs', pairs);
    return { plan: summary.plan, pairs, ...(fault === undefined ? {} : { fault }) };
  },
});
