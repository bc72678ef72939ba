import type { Observation } from '#shared/research/types.ts';
import type { Step, StoredReply } from '../records.ts';
import { overflow, reduce } from './reduce.ts';
import type { AgentConfig, AgentState } from './types.ts';

/** The texts of a committed step: what its references hold. */
export interface StepTexts {
  reply: StoredReply;
  observation?: Observation;
}

/**
 * The state in which a committed step's last reply was asked for: notes and earlier samples applied. `promptOf` of it
 * is the prompt the model saw.
 */
export function beforeStep(
  state: AgentState,
  step: Step,
  notes: readonly string[],
  config: AgentConfig,
): AgentState {
  let ready = state;
  for (const text of notes.slice(state.notes.length, step.notes))
    ready = reduce(ready, { type: 'NoteArrived', text }, config).state;
  ready = reduce(ready, { type: 'Started' }, config).state;
  const usage = { ...ready.usage };
  for (const sample of step.resampled ?? []) {
    usage.modelCalls++;
    usage.promptTokens += sample.promptTokens;
    usage.outputTokens += sample.outputTokens;
    usage.ms += sample.ms;
    usage.microUsd += sample.microUsd;
    if (sample.errorCode === 'context_overflow') ready = overflow(ready, config);
  }
  const { final: _final, ...open } = ready;
  return {
    ...open,
    usage,
    attempt: step.attempt,
    resampled: step.resampled ?? [],
    ...(step.outcome === 'final' ? { final: step.endReason ?? 'error' } : {}),
  };
}

/**
 * The state after a committed step: the same machine, fed with what was recorded. How a run is taken up again, and how
 * its prompts are told again for training.
 */
export function foldStep(
  state: AgentState,
  step: Step,
  texts: StepTexts,
  notes: readonly string[],
  config: AgentConfig,
): AgentState {
  const ready = beforeStep(state, step, notes, config);
  let { state: after, effect } = reduce(
    ready,
    {
      type: 'ModelReplied',
      reply: texts.reply,
      promptTokens: step.promptTokens,
      outputTokens: step.outputTokens,
      ms: step.ms,
      microUsd: step.microUsd,
    },
    config,
  );
  if (effect.type === 'CallTool') {
    const observation = texts.observation ?? { tool: effect.call.name, text: '', meta: {} };
    const answer = { observation, cacheHit: step.cacheHit, ms: 0, microUsd: 0 };
    ({ state: after, effect } = reduce(after, { type: 'ToolReturned', ...answer }, config));
  }
  return reduce(after, { type: 'Started' }, config).state;
}
