import type { Runtime } from '#shared/task/runtime.ts';
import type { Network } from '#shared/web/network.ts';
import type { SearchProvider } from '../search/provider.ts';
import type { Observation } from '../types.ts';

/** What a research tool works with. */
export interface ToolContext {
  runtime: Runtime;
  /** Whose ledger pays for searches. */
  jobId: string;
  workflow: string;
  stage: string;
  /** Search and browse only this index: nothing is asked of the web. */
  corpus?: { corpusId: string; semanticWeight: number };
  /** Search the web; needed where there is no corpus. */
  provider?: SearchProvider;
  /** Hosts that are not read, and left out of results. */
  blocklist?: readonly string[];
  /** Default: the public Internet. */
  network?: Network;
  /** Milliseconds since the epoch. */
  deadline?: number;
  signal?: AbortSignal;
}

export interface ToolAnswer {
  observation: Observation;
  /** The answer was kept from an earlier call. */
  cacheHit: boolean;
  microUsd: number;
}
