import { z } from 'zod';
import { loadRegistry } from '#shared/models/registry.ts';
import { wholeRef } from '#shared/research/corpus/input.ts';
import { readJson, writeJson } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { invalidInput } from '#shared/task/errors.ts';
import { fieldProblems } from '#shared/task/fields.ts';
import { configHash, type QuestionsConfig } from '../config.ts';
import { QuestionsInputSchema } from '../input.ts';
import { keysOf } from '../keys.ts';
import { count, RefSchema } from './schemas.ts';

/** `Prepare`: config.json, from the input and the registry. */
export const handler = defineTask({
  name: 'research-questions/prepare',
  input: z.object({ jobId: z.string(), model: z.string().optional(), input: RefSchema }),
  output: z.object({ config: RefSchema, rounds: count, solverRuns: count, reports: count }),
  async run({ jobId, model = 'builtin', input: ref }, ctx) {
    const { artifacts, runtime } = ctx;
    const parsed = QuestionsInputSchema.safeParse(await readJson(artifacts, ref));
    if (!parsed.success) {
      throw invalidInput('The job input is not valid.', { problems: fieldProblems(parsed.error) });
    }
    const input = parsed.data;
    const registry = await loadRegistry(runtime);
    const name = registry.routes.get(model)?.models[0] ?? model;
    const entry = registry.models.get(name);
    if (!entry) {
      const known = [...registry.models.keys(), ...registry.routes.keys()].join(', ');
      throw invalidInput(`There is no model ${model}; the registry has ${known}.`, {
        problems: [{ pointer: '/model', code: 'unknown', detail: `Use one of: ${known}.` }],
      });
    }
    const builtin = entry.provider === 'builtin';
    const keys = keysOf(jobId);
    let corpus = await wholeRef(artifacts, input.corpus.ref);
    if (corpus.key.startsWith('ingest/')) {
      // What was dropped for this workflow is nobody else's to read, and the solvers are another workflow's jobs.
      await artifacts.put(keys.corpusCopy, (await artifacts.get(corpus.key)).body);
      corpus = { ...corpus, key: keys.corpusCopy };
    }
    const config: QuestionsConfig = {
      jobId,
      input,
      model,
      builtin,
      band: input.band ?? { min: builtin ? 0 : 0.25, max: 0.75 },
      corpus,
      cfg: configHash(input, model, {
        corpus,
        exclude: input.exclude && (await wholeRef(artifacts, input.exclude)),
      }),
    };
    return {
      config: await writeJson(artifacts, keys.config, config),
      rounds: input.hops.max,
      solverRuns: input.solverRuns,
      reports: input.reports,
    };
  },
});
