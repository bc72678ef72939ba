import { jsonIfAny, writeJson } from '#shared/storage/jsonl.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { defect } from '#shared/task/errors.ts';
import type { CollectedSummary } from '../collect/collect.ts';
import type { ToolLibraryConfig } from '../config.ts';
import { countJsonl } from '../io.ts';
import { keys } from '../keys.ts';
import { allRejects, Histogram } from '../rejects.ts';
import { stopOf } from '../stop.ts';
import { summaryKey, type AssemblySummary } from './assemble.ts';
import { verifiedIn } from './verify.ts';

/** Passes of Assemble and VerifyLibrary: each reinstates what failed in the one before. */
const MAX_PASSES = 3;
/** Kept tools whose reasons are listed one by one; all are counted. */
const MAX_LISTED = 5000;

export interface Reported {
  again: boolean;
  coverage: number;
  partial: boolean;
}

/**
 * Closes a pass: with a function that failed, another one follows, in which its tools are reinstated; else
 * `output/report.json` is written.
 * @throws Defect where a case of an admitted tool has no call that gives its value: the library would lose it.
 */
export async function report(ctx: TaskContext, config: ToolLibraryConfig, pass: number): Promise<Reported> {
  const { artifacts } = ctx;
  const { jobId } = config;
  const verified = await verifiedIn(ctx, jobId, pass);
  const stop = await stopOf(ctx, jobId);
  const collected = await jsonIfAny<CollectedSummary>(artifacts, keys.collectSummary(jobId));
  const assembly = (await jsonIfAny<AssemblySummary>(artifacts, summaryKey(jobId)))!;
  const partial = stop !== undefined || (collected?.open ?? 0) > 0;
  const aggregatedFailed = verified.failures.some(({ aggregated }) => aggregated);
  const cases = await countJsonl(artifacts, keys.cases(jobId));
  const coverage = cases === 0 ? 1 : verified.passing / cases;
  if (aggregatedFailed && pass < MAX_PASSES) return { again: true, coverage, partial };
  if (coverage !== 1) {
    const lost = verified.failures
      .slice(0, 5)
      .map(({ tool, caseId, given }) => `${tool} (${caseId}: ${given})`);
    throw defect(
      `The library is not lossless: ${cases - verified.passing} of ${cases} cases fail on its files. ${lost.join('; ')}`,
    );
  }
  const rejects = new Histogram();
  for await (const reject of allRejects(ctx, jobId)) rejects.add(reject);
  const ingested = (await jsonIfAny<Record<string, number>>(artifacts, keys.ingestSummary(jobId))) ?? {};
  const admitted = assembly.superseded + assembly.kept;
  await writeJson(artifacts, keys.report(jobId), {
    counts: {
      in: admitted,
      tools: assembly.tools,
      aggregated: assembly.aggregated,
      superseded: assembly.superseded,
      kept: assembly.kept,
      reinstated: assembly.reinstated.length,
      scenarios: assembly.scenarios.length,
      cases,
    },
    yields: {
      ...ingested,
      admitted: collected?.admitted ?? 0,
      collapsed: collected?.collapsed ?? 0,
      base: collected?.base ?? 0,
    },
    /** Every row and every tool made of one is in one of these (section 11). */
    candidates: {
      admitted: collected?.admitted ?? 0,
      rejected: rejects.rejected,
      collapsed: collected?.collapsed ?? 0,
      duplicates: ingested.duplicates ?? 0,
      open: collected?.open ?? 0,
    },
    /** Rejects and notes by code. */
    rejects: rejects.counts,
    losslessness: { cases, passing: verified.passing, coverage },
    /** Tools in for one tool out. */
    compression: assembly.tools === 0 ? 1 : Number((admitted / assembly.tools).toFixed(3)),
    partial,
    ...(stop === undefined ? {} : { stop }),
    reinstated: assembly.reinstated,
    scenarios: assembly.scenarios,
    reasons: histogram(assembly.reasons.map(({ reason }) => kindOf(reason))),
    kept: assembly.reasons.slice(0, MAX_LISTED),
  });
  return { again: false, coverage, partial };
}

/** A reason without what is particular to a tool. */
const kindOf = (reason: string): string => /^(?:[A-Z_]+(?=:)|Reinstated)/.exec(reason)?.[0] ?? reason;

function histogram(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of [...words].sort()) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
