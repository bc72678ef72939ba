import { z } from 'zod';
import { ArtifactRefSchema, jsonIfAny } from '#shared/storage/jsonl.ts';
import type { Json } from '#shared/storage/ports.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { END_FIELDS, finishJob, jobToFinish, outcomeOf, type EndStatus } from '#shared/task/finish.ts';
import { problem } from '#shared/task/problems.ts';
import { card, type QuestionCounts } from '../card.ts';
import type { QuestionsConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import { stoppedBy } from '../synthesis/rounds.ts';

/** `Finish`: ends a job, well or not: card, manifest, status, marker. */
export const handler = defineTask({
  name: 'research-questions/finish',
  input: z.object(END_FIELDS),
  output: z.object({ jobId: z.string(), status: z.string(), manifest: ArtifactRefSchema.optional() }),
  async run(input, ctx) {
    const { artifacts } = ctx;
    const jobId = jobToFinish({ ...input, event: input.event as Json | undefined });
    const keys = keysOf(jobId);
    const caught = input.error ? outcomeOf(input.error) : undefined;
    const attempt = input.attempt === undefined ? {} : { attempt: input.attempt };
    const config = await jsonIfAny<QuestionsConfig>(artifacts, keys.config);
    const counts = await jsonIfAny<QuestionCounts>(artifacts, keys.counts);
    if (!config || !counts) {
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
    await artifacts.put(keys.output('README.md'), card(config, counts), {
      contentType: 'text/markdown; charset=utf-8',
    });
    const stopped = await stoppedBy(artifacts, jobId, config.input.hops.max);
    const errors = await Promise.all(stopped.map((key) => jsonIfAny<{ error: string }>(artifacts, key)));
    const ended =
      caught ??
      (await endOf(
        counts,
        errors.map((row) => row?.error ?? ''),
      ));
    const files: Json[] = [];
    for (const name of ['questions.jsonl', 'train.parquet', 'test.parquet', 'rejects.jsonl', 'README.md']) {
      const { bytes, sha256 } = await artifacts.head(keys.output(name));
      files.push({ name, bytes, ...(sha256 === undefined ? {} : { sha256 }) });
    }
    const rejected = Object.values(counts.rejects).reduce((sum, n) => sum + n, 0);
    return finishJob(ctx, {
      jobId,
      status: (await ctx.jobs.cancelRequested(jobId)) ? 'CANCELLED' : ended.status,
      content: {
        cfg: config.cfg,
        model: config.model,
        seed: config.input.seed,
        counts: counts as unknown as Json,
        files,
      },
      yields: { questions: counts.questions, reports: counts.reports, rejected },
      pending: stopped.length,
      ...attempt,
      ...(ended.error ? { error: ended.error } : {}),
    });
  },
});

async function endOf(
  counts: QuestionCounts,
  errors: readonly string[],
): Promise<{ status: EndStatus; error?: ReturnType<typeof problem> }> {
  if (errors.includes('BudgetExhausted')) return { status: 'BUDGET_EXHAUSTED' };
  if (counts.questions + counts.reports === 0) {
    const first = Object.entries(counts.rejects).map(([code, n]) => `${n} ${code}`);
    const detail = `No question could be made: ${first.join(', ') || 'the corpus states no facts that many documents have'}.`;
    return { status: 'FAILED', error: problem('nothing-made', detail) };
  }
  return {
    status:
      errors.length > 0 || (counts.rejects.model_failed ?? 0) > 0 ? 'SUCCEEDED_WITH_ERRORS' : 'SUCCEEDED',
  };
}
