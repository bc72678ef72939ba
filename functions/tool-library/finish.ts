import { jsonIfAny, writeJsonl } from '#shared/storage/jsonl.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { openEnvelope } from '#shared/task/envelope.ts';
import { invalidInput } from '#shared/task/errors.ts';
import { finishJob, outcomeOf, outputKey, type EndStatus, type Finished } from '#shared/task/finish.ts';
import type { Problem } from '#shared/task/jobs.ts';
import { problem } from '#shared/task/problems.ts';
import type { CollectedSummary } from './collect/collect.ts';
import type { ToolLibraryConfig } from './config.ts';
import { keys } from './keys.ts';
import type { Reject } from './records.ts';
import { allRejects, Histogram } from './rejects.ts';
import { stopOf } from './stop.ts';

export interface FinishRequest {
  jobId?: string | undefined;
  workflow?: string | undefined;
  executionName?: string | undefined;
  event?: Json | undefined;
  attempt?: number | undefined;
  /** What a catcher caught. */
  error?: { Error?: string | undefined; Cause?: string | undefined } | undefined;
  published?: Json | undefined;
}

/** What the report says that a job's record repeats. */
interface ReportFacts {
  counts?: Record<string, number>;
  yields?: Record<string, number>;
  losslessness?: { cases: number; passing: number; coverage: number };
}

/** Ends a job, well or not: all rejects in one file, and through `finishJob` manifest, status and marker. */
export async function finishLibrary(request: FinishRequest, ctx: TaskContext): Promise<Finished> {
  const jobId = jobOf(request);
  const attempt = request.attempt === undefined ? {} : { attempt: request.attempt };
  const config = await jsonIfAny<ToolLibraryConfig>(ctx.artifacts, keys.config(jobId));
  const failure = request.error ? await failureOf(request.error, ctx, jobId) : undefined;
  if (!config) {
    const error = failure?.error ? { error: failure.error } : {};
    return finishJob(ctx, {
      jobId,
      status: failure?.status ?? 'FAILED',
      content: {},
      yields: {},
      ...attempt,
      ...error,
    });
  }
  const histogram = new Histogram();
  await writeJsonl(ctx.artifacts, outputKey(jobId, 'rejects.jsonl'), counted(ctx, jobId, histogram));
  const collected = await jsonIfAny<CollectedSummary>(ctx.artifacts, keys.collectSummary(jobId));
  const report = await jsonIfAny<ReportFacts>(ctx.artifacts, keys.report(jobId));
  const ingested = (await jsonIfAny<Record<string, number>>(ctx.artifacts, keys.ingestSummary(jobId))) ?? {};
  const { rejected } = histogram;
  const stop = await stopOf(ctx, jobId);
  const pending = collected?.open ?? 0;
  const outcome = failure ?? outcomeOfRun(collected, stop, histogram);
  return finishJob(ctx, {
    jobId,
    status: outcome.status,
    content: {
      libraryId: config.input.libraryId,
      configHash: config.configHash,
      sourceHash: config.sourceHash,
      ...(config.base === undefined ? {} : { baseVersion: config.base }),
      models: config.models,
      roles: config.roles,
      ingested,
      counts: report?.counts ?? {},
      yields: report?.yields ?? {},
      losslessness: report?.losslessness ?? null,
      rejects: histogram.counts,
      published: request.published ?? null,
    },
    yields: {
      problems: ingested.problems ?? 0,
      imported: ingested.tools ?? 0,
      duplicates: ingested.duplicates ?? 0,
      admitted: collected?.admitted ?? 0,
      collapsed: collected?.collapsed ?? 0,
      rejected,
      ...(report?.counts && libraryYields(report.counts)),
    },
    pending,
    ...attempt,
    ...(outcome.error ? { error: outcome.error } : {}),
  });
}

/** Of the report's counts, what became of the tools: `tools` are the library's. */
const libraryYields = ({ tools = 0, aggregated = 0, superseded = 0, kept = 0, cases = 0 }) => ({
  superseded,
  aggregated,
  kept,
  tools,
  cases,
});

function jobOf({ jobId, workflow, executionName, event }: FinishRequest): string {
  if (jobId !== undefined) return jobId;
  if (workflow === undefined || executionName === undefined || event === undefined) {
    throw invalidInput(
      'Finish needs `jobId`, or `workflow`, `executionName` and `event` to find the job by.',
    );
  }
  return openEnvelope(workflow, executionName, event).jobId;
}

interface Outcome {
  status: EndStatus;
  error?: Problem;
}

async function failureOf(
  error: NonNullable<FinishRequest['error']>,
  ctx: TaskContext,
  jobId: string,
): Promise<Outcome> {
  return (await ctx.jobs.cancelRequested(jobId)) ? { status: 'CANCELLED' } : outcomeOf(error);
}

function outcomeOfRun(
  collected: CollectedSummary | undefined,
  stop: string | undefined,
  { counts, rejected }: Histogram,
): Outcome {
  if (stop === 'cancelled') return { status: 'CANCELLED' };
  if (stop === 'budget') return { status: 'BUDGET_EXHAUSTED' };
  // Tools of a base version are no reason to publish them once more.
  if ((collected?.admitted ?? 0) + (collected?.collapsed ?? 0) === 0) {
    const codes = Object.entries(counts)
      .sort(([, a], [, b]) => b - a)
      .map(([code, count]) => `${code} ${count}`);
    const why = codes.length > 0 ? `Rejects: ${codes.join(', ')}.` : 'The source has no rows.';
    return { status: 'FAILED', error: problem('nothing-made', `No tool was admitted. ${why}`) };
  }
  return { status: rejected > 0 || stop !== undefined ? 'SUCCEEDED_WITH_ERRORS' : 'SUCCEEDED' };
}

async function* counted(ctx: TaskContext, jobId: string, histogram: Histogram): AsyncGenerator<Reject> {
  for await (const reject of allRejects(ctx, jobId)) {
    histogram.add(reject);
    yield reject;
  }
}
