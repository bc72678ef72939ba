import { z } from 'zod';
import { readJsonl, writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { keysOf } from '../keys.ts';
import { isEnded, type RolloutLine } from '../records.ts';
import { loadHeads } from '../run/store.ts';
import { count, jobInput, RefSchema } from './schemas.ts';

/** Passages over unfinished runs after which the job goes on without them. */
const MAX_PASSES = 20;

/** `Barrier`: which runs of a rollout file have not ended, and whether another passage is worth it. */
export const handler = defineTask({
  name: 'deep-research/barrier',
  input: z.object({ ...jobInput, rollouts: RefSchema, pass: count }),
  output: z.object({ again: z.boolean(), unfinished: RefSchema, pass: count }),
  async run({ jobId, rollouts, pass }, ctx) {
    const lines = new Map<string, RolloutLine>();
    for await (const { value } of readJsonl(ctx.artifacts, rollouts)) {
      const line = value as RolloutLine;
      lines.set(line.runId, line);
    }
    const open: RolloutLine[] = [];
    for await (const { run } of loadHeads(ctx.records, jobId, lines.keys())) {
      if (!isEnded(run.status)) open.push(lines.get(run.runId)!);
    }
    const unfinished = await writeJsonl(ctx.artifacts, keysOf(jobId).unfinished(pass), open);
    const again = open.length > 0 && pass + 1 < MAX_PASSES;
    if (open.length > 0) ctx.log.info('Runs go on in another passage.', { runs: open.length, pass });
    return { again, unfinished, pass: pass + 1 };
  },
});
