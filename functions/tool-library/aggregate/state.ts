import type { Json } from '#shared/storage/ports.ts';
import type { Transcript } from '../create/state.ts';
import type { NoteCode, Sib } from '../records.ts';
import type { Adapter } from '../refactor/mapping.ts';
import type { Code, FeedbackItem } from '../roles/refactoring.ts';
import type { Execution } from '../roles/review-code.ts';

/** The state of a part's aggregation: one row a scenario, written after every step. */

export interface SibState {
  sib: Sib;
  round: number;
  status: 'live' | 'done';
  /** Whether the reviewing agent accepted the last code. */
  accepted: boolean;
  /** The last review failed the code as a whole, not single cases. */
  blocked: boolean;
  /** How tools failed, by tool id: the last time they did. */
  failures: Record<string, string>;
  /** What the code agent last wrote. */
  code?: Code;
  /** How tools' calls become calls of the draft's functions, where the code is the draft: by tool id. */
  adapters: Record<string, Adapter>;
  /** What the gate made of the code. */
  gated?: GatedCode;
  executions: Execution[];
  /** Attempts to solve the questions with the functions, by case. */
  attempts: { caseId: string; transcripts: Transcript[] }[];
  feedback: FeedbackItem[];
  /** Builtin: tools that are merged without widening, and those left out. */
  plain: string[];
  ejected: string[];
  history: RoundReport[];
}

export interface RoundReport {
  round: number;
  role: 'write-code' | 'patch-code';
  /** Cases that failed, tools that are not equivalent, cases without a call. */
  failures: number;
  verdict: 'PASS' | 'FAIL';
  feedback: FeedbackItem[];
}

/** Code that parses and keeps the policy, as it will be published. */
export interface GatedCode {
  /** Module text; absent where there is none. */
  module?: string;
  functions: GatedFunction[];
  /** Calls that have what they call. */
  calls: GatedCall[];
  /** What keeps the rest from running. */
  problems: FeedbackItem[];
}

export interface GatedFunction {
  name: string;
  code: string;
  /** `t_` hash of module and function. */
  id: string;
  description: string;
  schema: Record<string, Json>;
}

export interface GatedCall {
  caseId: string;
  toolId: string;
  function: string;
  setup?: string;
  call: string;
}

/** A tool that is not superseded, and why. */
export interface Kept {
  toolId: string;
  code: NoteCode;
  reason: string;
}

export const newSib = (sib: Sib): SibState => ({
  sib,
  round: 1,
  status: 'live',
  accepted: false,
  blocked: false,
  failures: {},
  adapters: {},
  executions: [],
  attempts: [],
  feedback: [],
  plain: [],
  ejected: [],
  history: [],
});

export const liveSibs = (states: readonly SibState[]): SibState[] =>
  states.filter(({ status }) => status === 'live');
