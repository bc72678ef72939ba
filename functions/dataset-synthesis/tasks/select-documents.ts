import { z } from 'zod';
import { loadRegistry } from '#shared/models/registry.ts';
import { writeJson } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import { estimate } from '../selection/estimate.ts';
import { selectDocuments, unreadableFault } from '../selection/select.ts';
import { Fault, jobInput, RefSchema } from './schemas.ts';

/** `SelectDocuments`: duplicates go, a sample is taken, the cost is estimated. */
export const handler = defineTask({
  name: 'dataset-synthesis/select-documents',
  input: z.object(jobInput),
  output: z.object({
    shards: RefSchema,
    documents: z.int(),
    /** Whether models are to be asked at all: not in an estimate, not without documents. */
    proceed: z.boolean(),
    fault: Fault,
  }),
  async run({ jobId, config: ref }, ctx) {
    const config = await loadConfig(ctx.artifacts, ref);
    const keys = keysOf(jobId);
    const selection = await selectDocuments(config, ctx.runtime, keys);
    const registry = await loadRegistry(ctx.runtime);
    const { selected, selectedTokens } = selection;
    const forecast = estimate(config, registry, selected, selectedTokens, ctx.runtime.clock.now());
    await writeJson(ctx.artifacts, keys.selection, { ...selection, estimate: forecast });
    const fault = unreadableFault(selection, config.input.tolerance.failedPercent);
    await ctx.jobs.event(jobId, {
      level: 'info',
      stage: 'SelectDocuments',
      message: `${selected} of ${selection.documents} documents selected; about ${forecast.expected.calls} calls.`,
      data: { expectedMicroUsd: forecast.expected.costMicros, worstMicroUsd: forecast.worst.costMicros },
    });
    const proceed = selected > 0 && config.input.mode !== 'estimate';
    if (proceed) await ctx.jobs.stage(jobId, 'AnalyseDocuments', selected);
    return {
      shards: selection.shards,
      documents: selected,
      proceed,
      ...(fault === undefined ? {} : { fault }),
    };
  },
});
