import type { ArtifactRef, Json } from '#shared/storage/ports.ts';
import type { Observation, Report } from '#shared/research/types.ts';

/**
 * Records of deep-research (specification deep-research, section 3). `h` is the first 16 hex digits of a SHA-256 of
 * canonical JSON, `cfg` h of the validated input without concurrency. Records that become data hold no clock times.
 */

export const FAMILIES = ['single_turn', 'native'] as const;
export type Family = (typeof FAMILIES)[number];

export const RUN_STATUSES = [
  'pending',
  'running',
  'awaiting_model',
  'answered',
  'forced',
  'cancelled',
  'failed',
  'skipped',
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** Nothing more happens to such a run, except that a `failed` one goes on when its job is resumed. */
export const isEnded = (status: RunStatus): boolean =>
  status !== 'pending' && status !== 'running' && status !== 'awaiting_model';

/** Why a run ended other than by an answer of its own accord. */
export type EndReason =
  | 'max_steps'
  | 'max_model_calls'
  | 'max_seconds'
  | 'max_tokens'
  | 'max_usd'
  | 'malformed_limit'
  | 'duplicate_limit'
  | 'memory_exhausted'
  | 'context_overflow'
  | 'budget'
  | 'model_unavailable'
  | 'cancelled'
  | 'error';

export interface Limits {
  maxSteps: number;
  maxModelCalls: number;
  maxSeconds: number;
  maxTokens: number;
  maxUsd: number;
  maxSearches: number;
}

/** What a run has used, summed from its committed steps: a resume never resets it. */
export interface RunUsage {
  /** Model replies that had a consequence, the finalisation not counted. */
  steps: number;
  modelCalls: number;
  toolCalls: number;
  searches: number;
  promptTokens: number;
  outputTokens: number;
  /** Committed step times, so that pauses are free. */
  ms: number;
  microUsd: number;
  malformed: number;
}

/** Of a run that has not begun. */
export const NO_USAGE: Readonly<RunUsage> = {
  steps: 0,
  modelCalls: 0,
  toolCalls: 0,
  searches: 0,
  promptTokens: 0,
  outputTokens: 0,
  ms: 0,
  microUsd: 0,
  malformed: 0,
};

export interface Run {
  /** `r-` + h(cfg, questionId, g, parent). */
  runId: string;
  questionId: string;
  /** Which rollout of its group, from 0. */
  g: number;
  /** `g-` + h(cfg, questionId, parent). */
  groupId: string;
  family: Family;
  model: string;
  limits: Limits;
  status: RunStatus;
  endReason?: EndReason;
  answer?: Report;
  /** A person's note reached it: no training sample. */
  steered: boolean;
  usage: RunUsage;
  /** A partial rollout: it starts with the parent's memory after that step. */
  parent?: { runId: string; step: number };
}

export interface Call {
  name: string;
  arguments: Record<string, Json>;
}

export type ParseErrorCode =
  | 'no_call_or_answer'
  | 'bad_json'
  | 'unclosed_thinking'
  | 'call_and_answer'
  | 'empty'
  | 'garbled'
  | 'truncated';

/** An attempt that was sampled anew. */
export interface Resampled {
  attempt: number;
  errorCode: ParseErrorCode | 'context_overflow';
  promptTokens: number;
  outputTokens: number;
  outputRef?: ArtifactRef;
  ms: number;
  microUsd: number;
}

/** One model reply and its consequence, in the order of `n` from 1. */
export interface Step {
  runId: string;
  n: number;
  /** 0, or 1 where the first reply was sampled anew. */
  attempt: number;
  promptTokens: number;
  outputTokens: number;
  /** Tokens of the memory as the prompt had it. */
  memoryTokens: number;
  /** The raw reply with its thinking: JSON of StoredReply. */
  outputRef: ArtifactRef;
  call?: Call;
  parse: 'ok' | 'repaired' | 'error';
  repairs: string[];
  errorCode?: ParseErrorCode;
  /** JSON of StoredObservation: the tool's whole answer. */
  observationRef?: ArtifactRef;
  /** The tool's answer came from its cache. */
  cacheHit: boolean;
  ms: number;
  microUsd: number;
  /** `answer` and `final` end the run; `final` is the finalisation call, no step of the agent's own choosing. */
  outcome: 'call' | 'answer' | 'malformed' | 'final';
  /** Of a finalisation: why it was asked for. */
  endReason?: EndReason;
  /** People's notes the prompt held. */
  notes: number;
  resampled?: Resampled[];
}

/** What a call or a tool took; recorded with its answer so that a step taken up again tells the same. */
export interface Took {
  ms: number;
  microUsd: number;
}

/** What an `observationRef` holds. */
export interface StoredObservation extends Took {
  observation: Observation;
  cacheHit: boolean;
}

/** What an `outputRef` holds. */
export interface StoredReply {
  text: string;
  reasoning?: string;
  toolCalls?: { id?: string; name: string; argumentsText: string }[];
  finish: 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'error';
  usage?: Took & { promptTokens: number; outputTokens: number };
}

export interface MemoryEntry {
  step: number;
  call: Call;
  observationRef?: ArtifactRef;
  /** Of the packed entry. */
  tokens: number;
}

export interface Memory {
  runId: string;
  version: number;
  entries: MemoryEntry[];
  note?: string;
  locked: boolean;
}

export interface Reward {
  runId: string;
  kind: 'short' | 'report' | 'math' | 'code';
  components: Record<string, number>;
  rank?: number;
  total: number;
  verifier: { model: string; roleVersion: string; raw: Json };
}

export interface GroupRow {
  groupId: string;
  runId: string;
  /** Steps of the run that count as samples. */
  T: number;
  reward: number;
  kept: boolean;
  dropReason?: string;
  advantage?: number;
}

/** One line of `rollouts.jsonl`, of a continuation and of `forks.jsonl`: what a child execution works on. */
export interface RolloutLine {
  runId: string;
  questionId: string;
  groupId: string;
  g: number;
  parent?: { runId: string; step: number };
}
