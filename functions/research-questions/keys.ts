/** Where everything of a job lies. */
export function keysOf(jobId: string) {
  const at = (path: string): string => `jobs/${jobId}/${path}`;
  const round = (n: number, path: string): string => at(`rounds/${n}/${path}`);
  return {
    config: at('config.json'),
    corpusInfo: at('corpus.json'),
    /** ShardRow rows, and the lines of each shard. */
    shards: (n: number) => round(n, 'shards.jsonl'),
    lines: (n: number, part: string) => round(n, `lines/${part}.jsonl`),
    planned: (n: number, part: string) => round(n, `planned/${part}.jsonl`),
    drafts: (n: number, part: string) => round(n, `drafts/${part}.jsonl`),
    valid: (n: number, part: string) => round(n, `valid/${part}.jsonl`),
    rejects: (n: number, name: string) => round(n, `rejects/${name}.jsonl`),
    /** An error that ended inference: the job goes on with what it has. */
    stopped: (n: number, part: string) => round(n, `stopped/${part}.json`),
    accepted: (n: number) => round(n, 'accepted.jsonl'),
    open: (n: number) => round(n, 'open.jsonl'),
    solvers: (n: number) => round(n, 'solvers.jsonl'),
    infer: (n: number, stage: string, part: string, attempt: number) =>
      round(n, `infer/${stage}.${part}.${attempt}`),
    /** Below the output, where other jobs of the same owner may read. */
    solve: (n: number, chunk: number) => at(`output/solve/${n}.${chunk}.jsonl`),
    corpusCopy: at('output/corpus.jsonl'),
    reports: at('reports/questions.jsonl'),
    reportRejects: at('reports/rejects.jsonl'),
    counts: at('counts.json'),
    output: (name: string) => at(`output/${name}`),
  };
}
