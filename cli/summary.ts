import { isAbsolute, join, relative } from 'node:path';
import type { Job } from '#shared/task/jobs.ts';
import type { Outputs } from './client.ts';
import { count, dollars, safeText, table, type Output } from './output.ts';
import { describeCounts } from './follow.ts';

/** What `run`, `demo` and `resume` print when a job has ended, and the object that `--json` prints. */
export interface JobSummary {
  jobId: string;
  workflow: string;
  status: Job['status'];
  documents?: number;
  accepted?: number;
  rejected?: number;
  rejectsByCode?: Record<string, number>;
  yields: Record<string, number>;
  costMicroUsd: number;
  calls: number;
  cacheHits: number;
  /** Local paths when embedded, else keys. */
  outputs: string[];
  error?: Job['error'];
}

/** @param locate turns an output's key into the path or key to show. */
export function summarise(
  job: Job,
  outputs: Outputs | undefined,
  locate: (key: string) => string,
): JobSummary {
  const content = (outputs?.manifest?.content ?? {}) as { rejectsByCode?: Record<string, number> };
  const { documents, accepted, rejected } = job.yields;
  return {
    jobId: job.jobId,
    workflow: job.workflow,
    status: job.status,
    ...(documents === undefined ? {} : { documents }),
    ...(accepted === undefined ? {} : { accepted }),
    ...(rejected === undefined ? {} : { rejected }),
    ...(content.rejectsByCode ? { rejectsByCode: content.rejectsByCode } : {}),
    yields: job.yields,
    costMicroUsd: job.cost.microUsd,
    calls: job.cost.calls,
    cacheHits: job.cost.cacheHits,
    outputs: (outputs?.items ?? []).map((item) => locate(item.key)),
    ...(job.error ? { error: job.error } : {}),
  };
}

export function printSummary(summary: JobSummary, job: Job, output: Output): void {
  const { color } = output;
  const good = summary.status === 'SUCCEEDED' || summary.status === 'SUCCEEDED_WITH_ERRORS';
  output.print(`${(good ? color.green : color.red)(summary.status)}  ${summary.jobId}`);
  output.print(describeCounts(job));
  const codes = Object.entries(summary.rejectsByCode ?? {}).sort((a, b) => b[1] - a[1]);
  if (codes.length > 0) {
    output.print('\nRejected, by code:');
    output.print(table(codes.map(([code, n]) => [`  ${code}`, count(n)])));
  }
  if (summary.outputs.length > 0) {
    output.print('\nFiles:');
    for (const path of summary.outputs) output.print(`  ${path}`);
  }
  output.print(`\nCost ${dollars(summary.costMicroUsd)} for ${count(summary.calls)} model calls.`);
  if (summary.error) {
    output.print(`\n${safeText(summary.error.title)}: ${safeText(summary.error.detail)}`);
    for (const error of summary.error.errors ?? [])
      output.print(`  ${error.pointer}: ${safeText(error.detail)}`);
  }
  if (summary.status === 'BUDGET_EXHAUSTED') {
    output.print(`\nRaise the cap and go on: agentmill resume ${summary.jobId} --budget <usd>`);
  } else if (summary.status === 'CANCELLED' || summary.status === 'FAILED') {
    output.print(`\nGo on where it stopped: agentmill resume ${summary.jobId}`);
  }
}

/** The path of an artifact of the embedded platform, relative to where the user is when that is shorter. */
export function embeddedPath(dataDir: string, bucket: string, key: string, cwd: string): string {
  const path = join(dataDir, 'objects', bucket, key);
  const short = relative(cwd, path);
  return short.startsWith('..') || isAbsolute(short) ? path : short;
}
