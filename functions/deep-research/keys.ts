/** Where everything of a job lies. Keys follow from ids alone, so that repeated work writes the same objects. */
export function keysOf(jobId: string) {
  const at = (path: string): string => `jobs/${jobId}/${path}`;
  return {
    at,
    config: at('config.json'),
    /** Question rows in input order. */
    questions: at('questions.jsonl'),
    /** RolloutLine rows: every run of the first passage, by question and g. */
    rollouts: at('rollouts.jsonl'),
    rejects: at('rejects/questions.jsonl'),
    /** Runs that a continuation takes up. */
    unfinished: (pass: number) => at(`passes/${pass}.jsonl`),
    /** RolloutLine rows of the groups that partial rollouts start. */
    forks: at('forks.jsonl'),
    /** The raw reply of a step's attempt, and the whole observation of a step. */
    reply: (runId: string, n: number, attempt: number) => at(`runs/${runId}/${pad(n)}.${attempt}.reply.json`),
    observation: (runId: string, n: number, attempt: number) =>
      at(`runs/${runId}/${pad(n)}.${attempt}.observation.json`),
    /** Requests and results of one model call that a task token waits for. */
    requests: (runId: string, n: number, attempt: number) =>
      at(`runs/${runId}/${pad(n)}.${attempt}.requests.jsonl`),
    inferPrefix: (runId: string, n: number, attempt: number) => at(`runs/${runId}/${pad(n)}.${attempt}`),
    /** Files of scoring and export: `score/<name>`, `output/<name>`. */
    score: (name: string) => at(`score/${name}`),
    output: (name: string) => at(`output/${name}`),
  };
}

export type Keys = ReturnType<typeof keysOf>;

/** Step numbers: four digits, so that byte order is numeric order. */
export const pad = (n: number): string => String(n).padStart(4, '0');

/**
 * Records of a run: `HEAD`, `STEP#0001` and on, `NOTE#0001` and on, `EVENT#0001.00` and on. A run id is the same in
 * every job with the same configuration, so the job is part of the key.
 */
export const runPk = (jobId: string, runId: string): string => `RUN#${jobId}#${runId}`;
export const HEAD = 'HEAD';
export const STEP_PREFIX = 'STEP#';
export const NOTE_PREFIX = 'NOTE#';
export const EVENT_PREFIX = 'EVENT#';
export const stepSk = (n: number): string => STEP_PREFIX + pad(n);
export const noteSk = (n: number): string => NOTE_PREFIX + pad(n);
