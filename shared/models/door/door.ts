import type { Runtime } from '#shared/task/runtime.ts';
import { Breaker } from '../breaker/breaker.ts';
import { Purse } from '../budget/purse.ts';
import { AnswerCache, type CacheEntry } from '../cache/store.ts';
import type { InferContext } from '../context.ts';
import { LedgerWriter } from '../ledger/writer.ts';
import { RateBucket } from '../limits/bucket.ts';
import { AdaptiveConcurrency } from '../limits/concurrency.ts';
import { TokenEstimate } from '../limits/token-estimate.ts';
import { InferenceMetrics } from '../observability/metrics.ts';
import { GroupCommit } from '#shared/storage/group-commit.ts';
import type { ModelEntry, Provider } from '../types.ts';

/** What a process knows of a model while it calls it. */
export interface Gate {
  concurrency: AdaptiveConcurrency;
  rpm: RateBucket;
  tpm: RateBucket;
  estimate: TokenEstimate;
  breaker: Breaker;
  /** Attempts answered and made, and the latest latencies, for routes. */
  stats: { made: number; answered: number; latencies: number[] };
}

export type ProviderOf = (model: ModelEntry, ctx: InferContext) => Promise<Provider>;

/** Providers inside this process: no endpoint to protect, no request that leaves, nothing anyone could charge for. */
const INSIDE: ReadonlySet<string> = new Set(['builtin', 'replay', 'gguf']);
export const isInside = (model: ModelEntry): boolean => INSIDE.has(model.provider);

/** The state behind the door: one a process and store. Its parts agree with other processes through the records. */
export class Door {
  readonly runtime: Runtime;
  readonly cache: AnswerCache;
  readonly ledger: LedgerWriter;
  readonly metrics = new InferenceMetrics();
  /** Requests on their way by cache key: equal ones share one call. */
  readonly flights = new Map<string, Promise<CacheEntry | undefined>>();
  readonly #gates = new Map<string, Gate>();
  readonly #purses = new Map<string, Purse>();
  readonly #providerOf: ProviderOf;

  constructor(runtime: Runtime, options: { providerOf?: ProviderOf } = {}) {
    this.runtime = runtime;
    const commits = new GroupCommit(runtime.records);
    this.cache = new AnswerCache(runtime, commits);
    this.ledger = new LedgerWriter(commits, runtime.ids.hex(8).at(-1)!);
    this.#providerOf =
      options.providerOf ??
      (async (model, ctx) => {
        const { providerFor } = await import('../providers/index.ts');
        return providerFor(model, { runtime, roleOf: ctx.roleOf });
      });
  }

  gate(model: ModelEntry): Gate {
    const { limits } = model;
    let gate = this.#gates.get(model.name);
    if (!gate) {
      gate = {
        concurrency: new AdaptiveConcurrency(this.runtime.clock, limits.concurrency, {
          adaptive: !isInside(model),
        }),
        rpm: new RateBucket(this.runtime, model.name, 'rpm', limits.rpm),
        tpm: new RateBucket(this.runtime, model.name, 'tpm', limits.tpm),
        estimate: new TokenEstimate(),
        breaker: new Breaker(this.runtime, model.name),
        stats: { made: 0, answered: 0, latencies: [] },
      };
      this.#gates.set(model.name, gate);
    }
    // An overlay may have changed them.
    gate.concurrency.limit = limits.concurrency;
    gate.rpm.limit = limits.rpm;
    gate.tpm.limit = limits.tpm;
    return gate;
  }

  purse(jobId: string): Purse {
    let purse = this.#purses.get(jobId);
    if (!purse) {
      purse = new Purse(this.runtime, jobId);
      this.#purses.set(jobId, purse);
    }
    return purse;
  }

  provider(model: ModelEntry, ctx: InferContext): Promise<Provider> {
    return this.#providerOf(model, ctx);
  }

  /** Folds a job's spending into its budget and gives the rest back. */
  async release(jobId: string): Promise<void> {
    await this.cache.flush();
    const purse = this.#purses.get(jobId);
    if (!purse) return;
    await purse.release();
    if (purse.idle) this.#purses.delete(jobId);
  }

  /** Releases every job and writes the metrics. */
  async close(): Promise<void> {
    for (const jobId of [...this.#purses.keys()]) await this.release(jobId);
    await this.cache.flush();
    this.metrics.flush(this.runtime);
  }
}
