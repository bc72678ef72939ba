import type { Message } from '#shared/models/types.ts';
import { stepInputOf } from '../agent/prompt.ts';
import { renderStep } from '../agent/prompts/render.ts';
import type { GroupRow } from '../records.ts';
import { rawTextOf, type ReplayedStep } from '../run/load.ts';

/** Training samples: one a step, as TRL's conversational prompt-completion reads them (specification section 10). */

export interface StepSample {
  prompt: ChatMessage[];
  completion: ChatMessage[];
  advantage: number;
  reward: number;
  group_id: string;
  run_id: string;
  step: number;
  T: number;
}

interface ChatMessage {
  role: Message['role'];
  content: string;
  tool_calls?: { id: string; type: 'function'; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

function chatMessage({ role, content, toolCalls, toolCallId }: Message): ChatMessage {
  return {
    role,
    content: content as string,
    ...(toolCalls
      ? {
          tool_calls: toolCalls.map(({ id, name, argumentsText }) => ({
            id,
            type: 'function' as const,
            function: { name, arguments: argumentsText },
          })),
        }
      : {}),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
  };
}

/** A step of a kept run: the prompt as the model saw it, and its raw reply, thinking included. */
export function stepSample({ step, before, agent, reply }: ReplayedStep, row: GroupRow): StepSample {
  return {
    prompt: renderStep(stepInputOf(before, agent)).map(chatMessage),
    completion: [{ role: 'assistant', content: rawTextOf(reply) }],
    advantage: row.advantage!,
    reward: row.reward,
    group_id: row.groupId,
    run_id: row.runId,
    step: step.n,
    T: row.T,
  };
}
