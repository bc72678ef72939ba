import type { TaskContext } from '#shared/task/context.ts';
import { finishJob, jobToFinish, outcomeOf, type EndStatus, type Finished } from '#shared/task/finish.ts';
import { jsonIfAny, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Json } from '#shared/storage/ports.ts';
import type { Problem } from '#shared/task/jobs.ts';
import { problem } from '#shared/task/problems.ts';
import type { SynthesisConfig } from '../config.ts';
import type { ExportPart } from '../curation/curate.ts';
import { rowsIfAny } from '../io.ts';
import { keysOf } from '../keys.ts';
import { STAGES } from '../records.ts';
import type { Shard } from '../selection/select.ts';
import type { PreviewRow } from '../stages/recorder.ts';
import type { StageScope } from '../stages/store.ts';
import type { PairShard } from '../stages/synthesise.ts';
import { datasetCard } from './card.ts';
import { countsOf, pendingOf, readFacts, type JobFacts } from './facts.ts';
import { readExport } from './export.ts';
import { manifestContent, warningsOf } from './manifest.ts';
import { allRejects, dataFileNumber, RejectTally } from './rejects.ts';

export interface FinishRequest {
  jobId?: string | undefined;
  workflow?: string | undefined;
  executionName?: string | undefined;
  event?: Json | undefined;
  attempt?: number | undefined;
  /** What a catcher caught. */
  error?: { Error?: string | undefined; Cause?: string | undefined } | undefined;
  /** Why the job must not count as a success, in a sentence: the tolerance was exceeded. */
  fault?: string | undefined;
}

/** Ends a job, well or not: rejects, card, preview or estimate, and through `finishJob` manifest, status and marker. */
export async function finishSynthesis(request: FinishRequest, ctx: TaskContext): Promise<Finished> {
  const jobId = jobToFinish(request);
  const keys = keysOf(jobId);
  const ended = await failureOf(request, ctx, jobId);
  const config = await jsonIfAny<SynthesisConfig>(ctx.artifacts, keys.config);
  const attempt = request.attempt === undefined ? {} : { attempt: request.attempt };
  const error = ended?.error ? { error: ended.error } : {};
  if (!config) {
    const status = ended?.status ?? 'FAILED';
    return finishJob(ctx, { jobId, status, content: {}, yields: {}, ...attempt, ...error });
  }

  const scope: StageScope = { ctx, config, keys };
  const facts = await readFacts(scope);
  const tally = new RejectTally();
  await writeJsonl(ctx.artifacts, keys.output('rejects.jsonl'), tally.count(allRejects(scope)));
  const files = ended?.status === 'FAILED' ? [] : await exportedFiles(scope, facts);
  const warnings = warningsOf(config, facts);
  const card = datasetCard(config, facts, tally, files, warnings);
  await ctx.artifacts.put(keys.output('README.md'), card, { contentType: 'text/markdown; charset=utf-8' });
  if (config.input.mode === 'preview') {
    await writeJsonl(ctx.artifacts, keys.output('preview.jsonl'), previewRows(scope));
  }
  if (config.input.mode === 'estimate' && facts.selection) {
    await writeJson(ctx.artifacts, keys.output('estimate.json'), facts.selection.estimate);
  }

  const pending = pendingOf(facts);
  const status = ended?.status ?? statusOf(facts, tally, pending);
  const counts = countsOf(facts);
  return finishJob(ctx, {
    jobId,
    status,
    content: manifestContent(config, facts, tally, files),
    run: { mode: config.input.mode },
    yields: {
      documents: counts.documents,
      selected: counts.selected,
      qualified: counts.qualified,
      candidates: counts.planned,
      accepted: counts.accepted,
      rejected: tally.total,
      failed: tally.failures,
      pending,
    },
    pending,
    warnings,
    ...attempt,
    ...error,
  });
}

/** How the job failed, undefined where it did not. A job that was asked to stop is CANCELLED, whatever error that made. */
async function failureOf(
  { error, fault }: FinishRequest,
  ctx: TaskContext,
  jobId: string,
): Promise<{ status: EndStatus; error?: Problem } | undefined> {
  if (error === undefined && fault === undefined) return undefined;
  if (await ctx.jobs.cancelRequested(jobId)) return { status: 'CANCELLED' };
  if (fault !== undefined) return { status: 'FAILED', error: problem('tolerance-exceeded', fault) };
  return outcomeOf(error!);
}

function statusOf(facts: JobFacts, tally: RejectTally, pending: number): EndStatus {
  if (pending > 0) return 'BUDGET_EXHAUSTED';
  const unreadable = facts.selection?.unreadable ?? 0;
  return tally.failures > 0 || unreadable > 0 ? 'SUCCEEDED_WITH_ERRORS' : 'SUCCEEDED';
}

/** The data files of this attempt; those that an earlier one left beyond them are removed. */
async function exportedFiles(scope: StageScope, facts: JobFacts): Promise<ArtifactRef[]> {
  const { artifacts } = scope.ctx;
  const files: ArtifactRef[] = [];
  let parts = 0;
  if (facts.curation) {
    for await (const { n, curated } of rowsIfAny<ExportPart>(artifacts, scope.keys.exportParts)) {
      parts = n + 1;
      const done = await readExport(scope, n).catch(() => undefined);
      if (done?.madeFrom === curated.sha256) files.push(...done.files);
    }
  }
  let after: string | undefined;
  do {
    const page = await artifacts.list({
      prefix: scope.keys.output('data/'),
      ...(after === undefined ? {} : { after }),
    });
    for (const { key } of page.objects) {
      if ((dataFileNumber(key) ?? -1) >= parts) await artifacts.delete(key);
    }
    after = page.next;
  } while (after !== undefined);
  return files;
}

async function* previewRows({ ctx, keys }: StageScope): AsyncGenerator<PreviewRow> {
  for (const stage of STAGES) {
    const parts =
      stage === 'filter' || stage === 'identify'
        ? rowsIfAny<Shard>(ctx.artifacts, keys.shards)
        : rowsIfAny<PairShard>(ctx.artifacts, keys.pairsPlan);
    for await (const { part } of parts)
      yield* rowsIfAny<PreviewRow>(ctx.artifacts, keys.preview(stage, part));
  }
}
