import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { loadRegistry } from '#shared/models/registry.ts';
import { jsonIfAny, readJson, writeJson } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { conflict, invalidInput } from '#shared/task/errors.ts';
import { fieldProblems } from '#shared/task/fields.ts';
import type { ToolLibraryConfig } from '../config.ts';
import { ToolLibraryInputSchema } from '../input.ts';
import { keys } from '../keys.ts';
import { resolveConfig } from '../resolve.ts';
import { RefSchema } from './create-schemas.ts';

/** Shards, clusters and scenarios worked on at once where machines are there for the asking. */
const CLOUD_CONCURRENCY = 40;

/** `ValidateInput`: what the schema alone cannot tell, and `config.json`. A job resumes with the config it began with. */
export const handler = defineTask({
  name: 'tool-library/validate',
  input: z.object({ jobId: z.string(), model: z.string().optional(), input: RefSchema }),
  output: z.object({
    config: RefSchema,
    settings: z.object({ concurrency: z.int(), turns: z.int(), rounds: z.int(), evaluate: z.boolean() }),
  }),
  async run({ jobId, model, input: ref }, ctx) {
    const parsed = ToolLibraryInputSchema.safeParse(await readJson(ctx.artifacts, ref));
    if (!parsed.success) {
      throw invalidInput('The job input is not valid.', { problems: fieldProblems(parsed.error) });
    }
    const registry = await loadRegistry(ctx.runtime);
    const config = await resolveConfig({ jobId, input: parsed.data, model, registry, runtime: ctx.runtime });
    const earlier = await jsonIfAny<ToolLibraryConfig>(ctx.artifacts, keys.config(jobId));
    if (earlier && earlier.configHash !== config.configHash) {
      throw conflict(
        'The job began with other prompts, models or data than there are now; its parts would not fit together. Start a new job: unchanged calls come from the cache.',
      );
    }
    const { solve, rounds, evaluate } = parsed.data;
    return {
      config: await writeJson(ctx.artifacts, keys.config(jobId), earlier ?? config),
      settings: {
        concurrency: ctx.runtime.kind === 'embedded' ? availableParallelism() : CLOUD_CONCURRENCY,
        // The counterfactual question comes after the last turn.
        turns: solve.maxTurns + (solve.counterfactual ? 1 : 0),
        rounds: rounds.create,
        evaluate,
      },
    };
  },
});
