import type { InferRequest, InferResult, ModelEntry, Registry } from '#shared/models/types.ts';
import type { Observation } from '#shared/research/types.ts';
import type { Clock } from '#shared/determinism/clock.ts';
import type { Artifacts, Records } from '#shared/storage/ports.ts';
import type { ResearchConfig } from '../config.ts';
import type { BrowsedPage } from '../agent/types.ts';
import type { Call } from '../records.ts';
import type { Citation } from '#shared/research/types.ts';

/** Everything a slice touches beside the pure agent: one place to put another world in a test. */
export interface World {
  config: ResearchConfig;
  registry: Registry;
  model: ModelEntry;
  artifacts: Artifacts;
  records: Records;
  clock: Clock;
  /** Milliseconds since the epoch when the slice must have returned. */
  deadline: number;
  /** The job's attempt that this slice works for. */
  attempt: number;
  /**
   * Asks the model through the door.
   * @param hold the standing hold that pays for it.
   * @throws BudgetExhausted, Cancelled, DeadlineExceeded, StorageUnavailable, Defect.
   */
  ask(request: InferRequest, hold: string | undefined): Promise<{ result: InferResult; microUsd: number }>;
  tools: ToolBox;
  /** Whether somebody asked for the job to stop, as it is now. */
  cancelled(): Promise<boolean>;
  /** Keeps the finalisation's worst case; false where the budget has not enough. */
  hold(id: string): Promise<boolean>;
  dropHold(id: string): Promise<void>;
  /** Checks citations against the pages the run has read. */
  cite(
    citations: readonly { url: string; quote: string }[],
    pages: readonly BrowsedPage[],
  ): Promise<Citation[]>;
  /** People may watch and write to it: one run alone. */
  interactive: boolean;
}

export interface ToolAnswer {
  observation: Observation;
  cacheHit: boolean;
  microUsd: number;
}

export interface ToolBox {
  /** Runs a checked call. Whatever goes wrong with it is an observation. */
  run(call: Call, context: { runId: string; n: number }): Promise<ToolAnswer>;
  /** The longest it may take, in milliseconds. */
  worstMs(call: Call): number;
}

/** The standing hold of a run's finalisation. */
export const holdId = (runId: string): string => `final-${runId}`;
