import type { Runtime } from '#shared/task/runtime.ts';
import type { Rng } from '#shared/determinism/rng.ts';
import type { ProviderError, Registry } from './types.ts';
import type { Role } from './role.ts';

/** What every call through the door is made for and with (model-inference section 1). */
export interface InferContext {
  jobId: string;
  workflow: string;
  stage: string;
  /** Milliseconds since the epoch: nothing is started that could not finish before it. */
  deadline?: number;
  signal?: AbortSignal;
  runtime: Runtime;
  registry: Registry;
  /** The roles that `builtin` can play, by name. */
  roleOf(name: string): Promise<Role | undefined>;
  /** Jitter only; never data. */
  rng: Rng;
  /** `job` keeps this job's answers to itself; default: jobs share the cache. */
  cacheScope?: 'shared' | 'job';
  /** A standing hold on the job's budget (budget/hold.ts) that was kept for this very call. */
  hold?: string;
  /** The calls test a model and are no job's work: their ledger rows are of kind `probe`. */
  kind?: 'probe';
  /** Told of each attempt without an answer: tests of models show why. */
  onError?(error: ProviderError): void;
}
