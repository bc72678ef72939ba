import type { EndReason } from '../records.ts';
import { memoryTokens } from './memory.ts';
import { fixedTokens } from './prompt.ts';
import type { AgentConfig, AgentState } from './types.ts';

/**
 * The cap that keeps another step from starting, if any: one finalisation stays in reserve of every cap that a call
 * counts against.
 */
export function capReached(state: AgentState, config: AgentConfig): EndReason | undefined {
  const { limits, context } = config;
  const { usage } = state;
  if (state.n >= limits.maxSteps) return 'max_steps';
  if (usage.modelCalls + 1 >= limits.maxModelCalls) return 'max_model_calls';
  if (usage.ms >= limits.maxSeconds * 1000) return 'max_seconds';
  const prompt = fixedTokens(state, config) + memoryTokens(state.memory);
  const { L, maxOutputTokens } = context;
  if (usage.promptTokens + usage.outputTokens + prompt + maxOutputTokens + L > limits.maxTokens)
    return 'max_tokens';
  const worst = config.price(prompt, maxOutputTokens) + config.price(L - maxOutputTokens, maxOutputTokens);
  // A model that costs nothing reaches no cost limit.
  return worst > 0 && usage.microUsd + worst > limits.maxUsd * 1e6 ? 'max_usd' : undefined;
}
