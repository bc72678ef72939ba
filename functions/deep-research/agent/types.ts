import type { Message, ToolSpec } from '#shared/models/types.ts';
import type { Observation } from '#shared/research/types.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type {
  Call,
  EndReason,
  Family,
  Limits,
  ParseErrorCode,
  Resampled,
  RunStatus,
  RunUsage,
  StoredReply,
} from '../records.ts';

/** The agent as a pure machine (specification deep-research, section 4): no clock, no files, no model. */

export type MemoryMode = 'clean' | 'edit';

export interface AgentConfig {
  runId: string;
  family: Family;
  question: { kind: 'short' | 'report' | 'math' | 'code'; text: string };
  /** ISO date that the agent is told, frozen with the job's input. */
  asOf: string;
  limits: Limits;
  context: { L: number; Lmem: number; maxOutputTokens: number };
  tools: { search: boolean; browse: boolean; python: boolean; memory: MemoryMode };
  /** What a document of the corpus is about: `country`, `entry`. */
  entityNoun: string;
  /** Tokens of a text by the model's tokenizer. */
  count(text: string): number;
  /** Micro-dollars of a call with at most that many tokens. */
  price(promptTokens: number, outputTokens: number): number;
}

/** A call and what came of it, as the prompt shows it. */
export interface PackedEntry {
  step: number;
  call: Call;
  /** The result, cut where there was no room. */
  text: string;
  /** Of the packed entry. */
  tokens: number;
  /** Nothing of the result is left (`delete_result`), or only a part by the agent's choice (`edit_result`). */
  shortened?: boolean;
}

export interface AgentMemory {
  /** Rises with every change that takes something away. */
  version: number;
  note?: string;
  noteTokens: number;
  entries: PackedEntry[];
  locked: boolean;
}

/** A page the run has read: what citations are held against. */
export interface BrowsedPage {
  url: string;
  step: number;
  sourceRef?: string;
}

/** What a step will be once its tool has answered. */
export interface StepDraft {
  n: number;
  attempt: number;
  promptTokens: number;
  outputTokens: number;
  memoryTokens: number;
  call?: Call;
  parse: 'ok' | 'repaired' | 'error';
  repairs: string[];
  errorCode?: ParseErrorCode;
  cacheHit: boolean;
  ms: number;
  microUsd: number;
  outcome: 'call' | 'answer' | 'malformed' | 'final';
  notes: number;
  resampled: Resampled[];
  /** The tool ran, or an earlier answer was fetched anew. */
  observed: boolean;
}

export interface AgentAnswer {
  text: string;
  citations: { url: string; quote: string }[];
}

export interface Ending {
  status: Extract<RunStatus, 'answered' | 'forced' | 'cancelled' | 'failed'>;
  endReason?: EndReason;
  /** Null where even the finalisation gave none. */
  answer: AgentAnswer | null;
  partial: boolean;
}

export interface AgentState {
  /** Committed steps, the finalisation included. */
  n: number;
  /** Of the step under way. */
  attempt: number;
  memory: AgentMemory;
  /** Faults and news, shown once. */
  notices: string[];
  /** People's notes. */
  notes: string[];
  usage: RunUsage;
  streaks: { malformed: number; duplicates: number; rejectedCleanings: number; refusedCalls: number };
  /** Canonical call to the step that ran it. */
  seen: Record<string, number>;
  pages: BrowsedPage[];
  /** The provider found the prompt too long once: everything is cut to nine tenths. */
  overflowed: boolean;
  /** The next call is the finalisation. */
  final?: EndReason;
  /** Attempts of this step that were sampled anew. */
  resampled: Resampled[];
  draft?: StepDraft;
  ended?: Ending;
}

export type AgentEvent =
  /** Begin, or go on after a commit. */
  | { type: 'Started' }
  | {
      type: 'ModelReplied';
      reply: StoredReply;
      promptTokens: number;
      outputTokens: number;
      ms: number;
      microUsd: number;
      outputRef?: ArtifactRef;
    }
  | { type: 'ModelFailed'; code: string; ms: number; microUsd: number }
  | { type: 'ToolReturned'; observation: Observation; cacheHit: boolean; ms: number; microUsd: number }
  | { type: 'NoteArrived'; text: string }
  | { type: 'CancelSeen' }
  | { type: 'BudgetDenied' };

export type Effect =
  /** The request is `promptOf(state, config)`. */
  | { type: 'CallModel'; n: number; attempt: number; final: boolean }
  /** `recall`: the answer of that earlier step is wanted again, no tool runs. */
  | { type: 'CallTool'; n: number; attempt: number; call: Call; recall?: number }
  | { type: 'Commit'; step: StepDraft }
  | { type: 'Finish'; ending: Ending };

export interface Transition {
  state: AgentState;
  effect: Effect;
}

export interface Prompt {
  messages: Message[];
  /** The endpoint's own, in the native family. */
  tools?: ToolSpec[];
  /** Of everything that is sent, as counted block by block. */
  tokens: number;
}
