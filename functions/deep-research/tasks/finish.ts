import { z } from 'zod';
import { ArtifactRefSchema, jsonIfAny } from '#shared/storage/jsonl.ts';
import type { Artifacts, Json } from '#shared/storage/ports.ts';
import { defineTask } from '#shared/task/define-task.ts';
import {
  END_FIELDS,
  finishJob,
  jobToFinish,
  outcomeOf,
  outputKey,
  type EndStatus,
} from '#shared/task/finish.ts';
import { problem } from '#shared/task/problems.ts';
import type { ResearchConfig } from '../config.ts';
import { researchCard } from '../export/card.ts';
import { countJob, type JobCounts } from '../export/counts.ts';
import { keysOf } from '../keys.ts';

/** `Finish`: ends a job, well or not: card, manifest, status, marker. */
export const handler = defineTask({
  name: 'deep-research/finish',
  input: z.object(END_FIELDS),
  output: z.object({ jobId: z.string(), status: z.string(), manifest: ArtifactRefSchema.optional() }),
  async run(input, ctx) {
    const { artifacts, records } = ctx;
    const jobId = jobToFinish({ ...input, event: input.event as Json | undefined });
    const caught = input.error ? outcomeOf(input.error) : undefined;
    const attempt = input.attempt === undefined ? {} : { attempt: input.attempt };
    const config = await jsonIfAny<ResearchConfig>(artifacts, keysOf(jobId).config);
    if (!config) {
      const error = caught?.error ? { error: caught.error } : {};
      return finishJob(ctx, {
        jobId,
        status: caught?.status ?? 'FAILED',
        content: {},
        yields: {},
        ...attempt,
        ...error,
      });
    }
    const counts = await countJob(artifacts, records, jobId);
    await artifacts.put(outputKey(jobId, 'README.md'), researchCard(config, counts), {
      contentType: 'text/markdown; charset=utf-8',
    });
    const ended = (await ctx.jobs.cancelRequested(jobId))
      ? { status: 'CANCELLED' as const }
      : (caught ?? endOf(counts));
    return finishJob(ctx, {
      jobId,
      status: ended.status,
      content: {
        cfg: config.cfg,
        model: config.model,
        judgeModel: config.judgeModel,
        selfGraded: config.selfGraded,
        family: config.family,
        asOf: config.asOf,
        seed: config.input.seed,
        counts: counts as unknown as Json,
        files: await outputFiles(artifacts, jobId),
      },
      yields: {
        questions: counts.questions,
        rejected: counts.rejected,
        runs: counts.runs,
        answered: counts.status.answered ?? 0,
        forced: counts.status.forced ?? 0,
        failed: counts.status.failed ?? 0,
        skipped: counts.status.skipped ?? 0,
        groupsKept: counts.groupsKept,
        samples: counts.samples,
      },
      pending: counts.unfinished + counts.outOfBudget,
      ...attempt,
      ...(ended.error ? { error: ended.error } : {}),
    });
  },
});

/** How a job ends whose machine came to its end. */
function endOf(counts: JobCounts): { status: EndStatus; error?: ReturnType<typeof problem> } {
  const failed = counts.status.failed ?? 0;
  if (counts.outOfBudget > 0) return { status: 'BUDGET_EXHAUSTED' };
  if (failed > 0 && failed === counts.runs) {
    const detail = 'Every run failed: the model gave no answer. Resume the job when it does.';
    return { status: 'FAILED', error: problem('task-failed', detail) };
  }
  return { status: failed + counts.unfinished > 0 ? 'SUCCEEDED_WITH_ERRORS' : 'SUCCEEDED' };
}

/** The output files but for the manifest and markers, by name. */
async function outputFiles(artifacts: Artifacts, jobId: string): Promise<Json> {
  const files: Json[] = [];
  let after: string | undefined;
  do {
    const page = await artifacts.list({
      prefix: outputKey(jobId, ''),
      ...(after === undefined ? {} : { after }),
    });
    for (const { key, bytes } of page.objects) {
      const name = key.slice(outputKey(jobId, '').length);
      if (name === 'manifest.json' || name.startsWith('_')) continue;
      const { sha256 } = await artifacts.head(key);
      files.push({ name, bytes, ...(sha256 === undefined ? {} : { sha256 }) });
    }
    after = page.next;
  } while (after !== undefined);
  return files;
}
