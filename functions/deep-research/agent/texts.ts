import type { EndReason, ParseErrorCode } from '../records.ts';
import { number } from './memory.ts';

/** What the agent is told, word for word. */

const FAULTS: Record<ParseErrorCode, string> = {
  no_call_or_answer: 'it held neither a tool call nor an answer',
  bad_json: 'its tool call was no JSON that could be read',
  unclosed_thinking: 'its thinking never ended',
  call_and_answer: 'it held both a tool call and an answer',
  empty: 'it was empty',
  garbled: 'it repeated itself or was unreadable',
  truncated: 'it was cut off at the output limit; be shorter',
};

export const malformedNotice = (code: ParseErrorCode): string =>
  `Your last reply could not be used: ${FAULTS[code]}. Nothing was run.`;

export const moreCallsNotice = (more: number): string =>
  `Your last reply held ${more + 1} calls; only the first was run. Make one call a reply.`;

/** The text of `memory_overflow`. */
export const memoryFull = (tokens: number, limit: number, mode: 'clean' | 'edit'): string =>
  `Memory is full (${number(tokens)} of ${number(limit)} tokens). Only ${
    mode === 'clean' ? 'clean_memory is' : 'edit_result and delete_result are'
  } accepted.`;

export const memoryWarning = (tokens: number, limit: number, mode: 'clean' | 'edit'): string =>
  `Memory is nearly full (${number(tokens)} of ${number(limit)} tokens): ${
    mode === 'clean' ? 'call clean_memory soon' : 'shorten or delete results soon'
  }.`;

export const refusedCall = (name: string): string =>
  `The call of ${name} was refused, for memory is full; it was not run.`;

export const refusedCleaning = (name: string, why: string): string =>
  `${name} was refused: ${why}. Memory is as it was.`;

export const cleaned = (erased: number): string =>
  `Memory was cleaned: ${erased} ${erased === 1 ? 'entry' : 'entries'} gone, your note is kept.`;

export const edited = (id: string): string => `The result ${id} was changed.`;

export const duplicateAbove = (step: number): string =>
  `This call repeats step ${step} and was not run again; its result is above.`;

export const duplicateAgain = (step: number, text: string): string =>
  `This call repeats step ${step} and was not run again. Its result was:\n${text}`;

export const searchesUsed = (limit: number): string =>
  `The limit of ${number(limit)} searches is used up; browse what you know, or answer.`;

const REASONS: Record<EndReason, string> = {
  max_steps: 'the limit of steps',
  max_model_calls: 'the limit of model calls',
  max_seconds: 'the time limit',
  max_tokens: 'the limit of tokens',
  max_usd: 'the cost limit',
  malformed_limit: 'too many unusable replies in a row',
  duplicate_limit: 'too many repeated calls in a row',
  memory_exhausted: 'memory that stayed full',
  context_overflow: "the model's context",
  budget: "the job's budget",
  model_unavailable: 'the model being unavailable',
  cancelled: 'the request to stop',
  error: 'an error',
};

/** Why a finalisation is asked for: `The research ends here: the limit of steps.` */
export const finalNotice = (reason: EndReason): string => `The research ends here: ${REASONS[reason]}.`;
