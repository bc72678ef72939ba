import type { Stage } from './records.ts';

/** Where everything of a job lies. Keys follow from ids alone, so that repeated work writes the same objects. */
export function keysOf(jobId: string) {
  const at = (path: string): string => `jobs/${jobId}/${path}`;
  return {
    at,
    config: at('config.json'),
    benchmarks: at('benchmarks/index.bin'),
    benchmarkNames: at('benchmarks/index.json'),
    segments: at('index/segments.jsonl'),
    planRejects: at('index/plan.rejects.jsonl'),
    fileList: (n: number) => at(`index/files-${pad(n)}.jsonl`),
    ids: (segment: string) => at(`index/${segment}.ids.jsonl`),
    segmentRejects: (segment: string) => at(`index/${segment}.rejects.jsonl`),
    segmentDone: (segment: string) => at(`index/${segment}.done.json`),
    documents: (part: string) => at(`documents/${part}.jsonl`),
    shards: at('index/shards.jsonl'),
    selection: at('index/selection.json'),
    selectRejects: at('index/select.rejects.jsonl'),
    /** Files of one stage and part: settled results, what became of each subject, rejects, what preview shows. */
    results: (stage: Stage, part: string) => at(`${stage}/${part}.results.jsonl`),
    stages: (stage: Stage, part: string) => at(`${stage}/${part}.stages.jsonl`),
    rejects: (stage: Stage, part: string) => at(`${stage}/${part}.rejects.jsonl`),
    preview: (stage: Stage, part: string) => at(`${stage}/${part}.preview.jsonl`),
    /** Requests and raw results of one child execution: `batch` is its first part, each attempt has its own. */
    requests: (stage: Stage, batch: string, attempt: number) =>
      at(`${stage}/${batch}.${attempt}.requests.jsonl`),
    inferPrefix: (stage: Stage, batch: string, attempt: number) => at(`${stage}/${batch}.${attempt}`),
    analysed: (part: string) => at(`analysed/${part}.jsonl`),
    analysedDone: (part: string) => at(`analysed/${part}.done.json`),
    analysisSummary: at('pairs/analysis.json'),
    analysisLost: at('pairs/analysis.rejects.jsonl'),
    pairsPlan: at('pairs/plan.jsonl'),
    candidates: (part: string) => at(`candidates/${part}.jsonl`),
    pairs: (part: string) => at(`pairs/${part}.jsonl`),
    pairsDone: (part: string) => at(`pairs/${part}.done.json`),
    curated: (n: number) => at(`curated/${pad(n)}.jsonl`),
    curateRejects: at('curated/rejects.jsonl'),
    curateSummary: at('curated/summary.json'),
    exportParts: at('export/parts.jsonl'),
    exportDone: (n: number) => at(`export/${pad(n)}.done.json`),
    output: (path: string) => at(`output/${path}`),
    data: (n: number, extension: 'jsonl' | 'parquet') => at(`output/data/part-${pad(n)}.${extension}`),
  };
}

export type Keys = ReturnType<typeof keysOf>;

/** Numbers of parts and segments: five digits, so that byte order is numeric order. */
export const pad = (n: number): string => String(n).padStart(5, '0');
