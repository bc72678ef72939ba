import { z } from 'zod';
import { loadRegistry } from '#shared/models/registry.ts';
import { verlParquet, verlRow } from '#shared/research/export/verl.ts';
import type { Question } from '#shared/research/types.ts';
import { readJsonl, writeJsonl } from '#shared/storage/jsonl.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { stepInputOf } from '../agent/prompt.ts';
import { renderStep } from '../agent/prompts/render.ts';
import { initialState } from '../agent/reduce.ts';
import { agentConfigOf, loadConfig } from '../config.ts';
import { stepSample, type StepSample } from '../export/steps.ts';
import { keysOf } from '../keys.ts';
import type { GroupRow } from '../records.ts';
import { replayRun } from '../run/load.ts';
import { count, jobInput, RefSchema } from './schemas.ts';

/** Runs whose steps are read side by side. */
const WIDTH = 8;
/** Kept before the deadline to finish what was begun. */
const SPARE_MS = 120_000;

/**
 * `Export`: the training samples of kept runs, part by part until its time is up, then `output/steps.jsonl`, and
 * `questions.jsonl` and `questions.parquet` for verl.
 */
export const handler = defineTask({
  name: 'deep-research/export',
  evenIfCancelled: true,
  input: z.object({ ...jobInput, groups: RefSchema, from: count.default(0), part: count.default(0) }),
  output: z.object({ done: z.boolean(), from: count, part: count }),
  async run({ jobId, groups, from, part, config: ref }, ctx) {
    const { artifacts, records, runtime } = ctx;
    const config = await loadConfig(artifacts, ref);
    const registry = await loadRegistry(runtime);
    const keys = keysOf(jobId);
    const partKey = (n: number): string => keys.score(`steps/${n}.jsonl`);
    let next = from;
    let done = true;

    const samplesOf = async (row: GroupRow): Promise<StepSample[]> => {
      const samples: StepSample[] = [];
      for await (const step of replayRun({ config, registry, artifacts, records }, row.runId)) {
        samples.push(stepSample(step, row));
      }
      return samples;
    };
    async function* samples(): AsyncGenerator<StepSample> {
      let batch: GroupRow[] = [];
      let index = 0;
      for await (const { value } of readJsonl(artifacts, groups)) {
        const row = value as GroupRow;
        if (!row.kept || index++ < from) continue;
        batch.push(row);
        if (batch.length < WIDTH) continue;
        if (runtime.clock.now() + SPARE_MS > ctx.deadline && next > from) {
          done = false;
          return;
        }
        for (const rows of await Promise.all(batch.map(samplesOf))) yield* rows;
        next += batch.length;
        batch = [];
      }
      for (const rows of await Promise.all(batch.map(samplesOf))) yield* rows;
      next += batch.length;
    }
    await writeJsonl(artifacts, partKey(part), samples());
    if (!done) return { done, from: next, part: part + 1 };

    const parts = Array.from({ length: part + 1 }, (_, n) => partKey(n));
    await artifacts.put(keys.output('steps.jsonl'), joined(artifacts, parts), {
      contentType: 'application/jsonl',
    });
    const agentOf = async (question: Question) => agentConfigOf(config, registry, { runId: '', question });
    async function* rows() {
      let index = 0;
      for await (const { value } of readJsonl(artifacts, keys.questions)) {
        const question = value as Question;
        const agent = await agentOf(question);
        const prompt = renderStep(stepInputOf(initialState(), agent));
        yield verlRow(question, index++, 'agentmill/deep-research', prompt);
      }
    }
    await writeJsonl(artifacts, keys.output('questions.jsonl'), rows());
    await artifacts.put(keys.output('questions.parquet'), verlParquet(rows()), {
      contentType: 'application/vnd.apache.parquet',
    });
    return { done, from: next, part };
  },
});

async function* joined(artifacts: Artifacts, keys: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const key of keys) yield* (await artifacts.get(key)).body;
}
