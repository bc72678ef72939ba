/** Where the workflow keeps its files. `part` is a shard, batch or cluster number in five digits. */

const job = (jobId: string, path: string) => `jobs/${jobId}/${path}`;

export const partName = (part: number): string => String(part).padStart(5, '0');

export const keys = {
  config: (jobId: string) => job(jobId, 'config.json'),
  /** Problems and imported tools by shard. */
  shard: (jobId: string, part: number) => job(jobId, `ingest/${partName(part)}.jsonl`),
  shardIndex: (jobId: string) => job(jobId, 'ingest/index.jsonl'),
  /** What a shard's loop made: state between its steps, and at its end tools and cases. */
  createPrefix: (jobId: string, part: number) => job(jobId, `create/${partName(part)}`),
  createdTools: (jobId: string, part: number) => job(jobId, `create/${partName(part)}/tools.jsonl`),
  createdCases: (jobId: string, part: number) => job(jobId, `create/${partName(part)}/cases.jsonl`),
  /** Rows of `Tool` by id, identical trees collapsed. */
  tools: (jobId: string) => job(jobId, 'collect/tools.jsonl'),
  /** Rows of `Case` by tool id, then id. */
  cases: (jobId: string) => job(jobId, 'collect/cases.jsonl'),
  /** Counts of admitted and collapsed tools, and what is left open. */
  collectSummary: (jobId: string) => job(jobId, 'collect/summary.json'),
  ingestSummary: (jobId: string) => job(jobId, 'ingest/summary.json'),
  vectors: (jobId: string, name: string) => job(jobId, `vectors/${name}`),
  tree: (jobId: string, name: string) => job(jobId, `tree/${name}`),
  /** Rows of `Cluster`. */
  clusters: (jobId: string) => job(jobId, 'clusters/index.jsonl'),
  sibs: (jobId: string, name: string) => job(jobId, `sibs/${name}`),
  aggregate: (jobId: string, name: string) => job(jobId, `aggregate/${name}`),
  library: (jobId: string, name: 'tools' | 'modules' | 'cases' | 'mappings') =>
    job(jobId, `library/${name}.jsonl`),
  verify: (jobId: string, name: string) => job(jobId, `verify/${name}`),
  /** Prefix of what the library is searched by: `search.jsonl`, `vectors.f32`. */
  index: (jobId: string) => job(jobId, 'index'),
  retrieval: (jobId: string) => job(jobId, 'output/retrieval.json'),
  rejects: (jobId: string, stage: string, part: number) =>
    job(jobId, `rejects/${stage}/${partName(part)}.jsonl`),
  report: (jobId: string) => job(jobId, 'output/report.json'),
} as const;
