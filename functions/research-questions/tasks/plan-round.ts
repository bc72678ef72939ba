import { z } from 'zod';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { knowledgeOf, rowsOf } from '../io.ts';
import { keysOf } from '../keys.ts';
import type { Draft, ShardLine } from '../records.ts';
import { orderedSeeds } from '../synthesis/synthesise.ts';
import { count, jobInput, RefSchema } from './schemas.ts';

/** Chains of one shard. */
const SHARD = 200;

/** `PlanRound`: the first round's seed facts, or the questions that the last round left open, in shards. */
export const handler = defineTask({
  name: 'research-questions/plan-round',
  input: z.object({ ...jobInput, corpusId: z.string(), round: count }),
  output: z.object({ shards: RefSchema, count }),
  async run({ jobId, config: ref, corpusId, round }, ctx) {
    const { artifacts, runtime } = ctx;
    const { input } = await loadConfig(artifacts, ref);
    const keys = keysOf(jobId);
    let lines: ShardLine[];
    if (round === 0) {
      const wanted = Math.ceil(input.count * input.oversample);
      const seeds = orderedSeeds(await knowledgeOf(runtime, corpusId), input.seed);
      lines = seeds.slice(0, wanted).map((seed) => ({ seed }));
    } else {
      lines = (await rowsOf<Draft>(artifacts, keys.open(round - 1))).map((draft) => ({ draft }));
    }
    const parts: { part: string }[] = [];
    for (let at = 0; at < lines.length; at += SHARD) {
      const part = String(at / SHARD).padStart(4, '0');
      await writeJsonl(artifacts, keys.lines(round, part), lines.slice(at, at + SHARD));
      parts.push({ part });
    }
    await ctx.jobs.stage(jobId, `Round${round + 1}`, lines.length);
    return { shards: await writeJsonl(artifacts, keys.shards(round), parts), count: lines.length };
  },
});
