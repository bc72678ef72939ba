import { z } from 'zod';
import { loadRegistry } from '#shared/models/registry.ts';
import { jsonIfAny, readJson, writeJson } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { conflict, invalidInput } from '#shared/task/errors.ts';
import { fieldProblems } from '#shared/task/fields.ts';
import { batchSizes, type SynthesisConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import { SynthesisInputSchema } from '../records.ts';
import { resolveConfig } from '../resolve.ts';
import { RefSchema } from './schemas.ts';

/** `ValidateInput`: what the schema alone cannot tell, and `config.json`. A job resumes with the config it began with. */
export const handler = defineTask({
  name: 'dataset-synthesis/validate',
  input: z.object({ jobId: z.string(), model: z.string().optional(), input: RefSchema }),
  output: z.object({
    config: RefSchema,
    batch: z.object({ analyse: z.int(), synthesise: z.int(), maxConcurrency: z.int() }),
  }),
  async run({ jobId, model, input: ref }, ctx) {
    const parsed = SynthesisInputSchema.safeParse(await readJson(ctx.artifacts, ref));
    if (!parsed.success) {
      throw invalidInput('The job input is not valid.', { problems: fieldProblems(parsed.error) });
    }
    const registry = await loadRegistry(ctx.runtime);
    const config = await resolveConfig({ jobId, input: parsed.data, model, registry, runtime: ctx.runtime });
    const key = keysOf(jobId).config;
    const earlier = await jsonIfAny<SynthesisConfig>(ctx.artifacts, key);
    if (earlier && earlier.configHash !== config.configHash) {
      throw conflict(
        'The job began with other prompts, models or benchmarks than there are now; its parts would not fit together. Start a new job: unchanged calls come from the cache.',
      );
    }
    const written = await writeJson(ctx.artifacts, key, earlier ?? config);
    return {
      config: written,
      batch: { ...batchSizes(parsed.data), maxConcurrency: parsed.data.batch.maxConcurrency },
    };
  },
});
