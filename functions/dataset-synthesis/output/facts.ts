import { jsonIfAny } from '#shared/storage/jsonl.ts';
import type { CurationSummary } from '../curation/curate.ts';
import type { Selection } from '../selection/select.ts';
import type { Estimate } from '../selection/estimate.ts';
import { noCounts, type StageCounts } from '../stages/outcome.ts';
import type { AnalysisSummary } from '../stages/plan-pairs.ts';
import type { StageScope } from '../stages/store.ts';
import type { BenchmarkNames } from '../curation/benchmark-index.ts';

/** What a job has come to so far, as its stages left it; each part is absent where the job did not get there. */
export interface JobFacts {
  selection?: Selection & { estimate: Estimate };
  analysis?: AnalysisSummary;
  curation?: CurationSummary;
  benchmarks?: BenchmarkNames;
}

export async function readFacts(scope: StageScope): Promise<JobFacts> {
  const { artifacts } = scope.ctx;
  const { keys } = scope;
  const [selection, analysis, curation, benchmarks] = await Promise.all([
    jsonIfAny<Selection & { estimate: Estimate }>(artifacts, keys.selection),
    jsonIfAny<AnalysisSummary>(artifacts, keys.analysisSummary),
    jsonIfAny<CurationSummary>(artifacts, keys.curateSummary),
    jsonIfAny<BenchmarkNames>(artifacts, keys.benchmarkNames),
  ]);
  return {
    ...(selection ? { selection } : {}),
    ...(analysis ? { analysis } : {}),
    ...(curation ? { curation } : {}),
    ...(benchmarks ? { benchmarks } : {}),
  };
}

/** The counts of a job. For pairs: planned = accepted + rejected + failed + pending. */
export interface Counts {
  records: number;
  documents: number;
  selected: number;
  qualified: number;
  analysed: number;
  planned: number;
  accepted: number;
  rejected: number;
  failed: number;
  pending: number;
}

export function countsOf({ selection, analysis, curation }: JobFacts): Counts {
  return {
    records: selection?.records ?? 0,
    documents: selection?.documents ?? 0,
    selected: selection?.selected ?? 0,
    qualified: analysis?.filter.ok ?? 0,
    analysed: analysis?.analysed ?? 0,
    planned: analysis?.pairs ?? 0,
    accepted: curation?.records ?? 0,
    rejected: curation
      ? curation.generate.rejected + curation.check.rejected + (curation.judged - curation.records)
      : 0,
    failed: curation ? curation.generate.failed + curation.check.failed + curation.lost : 0,
    pending: curation ? curation.generate.pending + curation.check.pending : 0,
  };
}

/** Subjects of all stages that a resumed job will take up: what makes a job BUDGET_EXHAUSTED. */
export function pendingOf({ analysis, curation }: JobFacts): number {
  const of = (counts: StageCounts | undefined): number => counts?.pending ?? 0;
  return of(analysis?.filter) + of(analysis?.identify) + of(curation?.generate) + of(curation?.check);
}

export function yieldsByStage({
  selection,
  analysis,
  curation,
}: JobFacts): Record<string, Record<string, number>> {
  const stages: Record<string, Record<string, number>> = {};
  if (selection) {
    const { records, documents, duplicates, nearDuplicates, selected } = selection;
    stages.index = { planned: records, ok: documents };
    stages.select = { planned: documents, ok: selected, rejected: duplicates + nearDuplicates };
  }
  if (analysis) {
    stages.filter = { ...(analysis.filter ?? noCounts()) };
    stages.identify = { ...(analysis.identify ?? noCounts()) };
  }
  if (curation) {
    stages.generate = { ...curation.generate };
    stages.check = { ...curation.check };
    const { judged, records } = curation;
    stages.curate = { planned: judged, ok: records, rejected: judged - records };
  }
  return stages;
}
