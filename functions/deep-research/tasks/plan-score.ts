import { z } from 'zod';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { keysOf } from '../keys.ts';
import { groupLines } from '../scoring/groups.ts';
import { count, jobInput, RefSchema } from './schemas.ts';

/** `PlanScore`: the groups of a rollout file (`rollouts` or `forks`), one line each, for the map that scores them. */
export const handler = defineTask({
  name: 'deep-research/plan-score',
  evenIfCancelled: true,
  input: z.object({ ...jobInput, rollouts: RefSchema, of: z.enum(['rollouts', 'forks']) }),
  output: z.object({ groups: RefSchema, count }),
  async run({ jobId, rollouts, of }, ctx) {
    const groups = await writeJsonl(
      ctx.artifacts,
      keysOf(jobId).score(`groups.${of}.jsonl`),
      groupLines(ctx.artifacts, rollouts),
    );
    return { groups, count: groups.count ?? 0 };
  },
});
