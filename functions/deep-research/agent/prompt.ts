import { memoryTokens, sizesOf, WARN_SHARE } from './memory.ts';
import { questionBlock, renderStep, renderTools, systemOf } from './prompts/render.ts';
import type { StepInput } from './prompts/step-input.ts';
import { finalNotice, memoryFull, memoryWarning } from './texts.ts';
import { toolNames } from './tools.ts';
import type { AgentConfig, AgentState, Prompt } from './types.ts';

/** What the next call of the model is asked with. */
export function stepInputOf(state: AgentState, config: AgentConfig, explore = false): StepInput {
  const { Lmem } = sizesOf(config, state.overflowed);
  const tokens = memoryTokens(state.memory);
  const { note, entries, locked } = state.memory;
  return {
    family: config.family,
    kind: config.question.kind,
    question: config.question.text,
    notes: state.notes,
    asOf: config.asOf,
    entityNoun: config.entityNoun,
    tools: toolNames(config),
    memory: {
      ...(note === undefined ? {} : { note }),
      entries: entries.map(({ step, call, text }) => ({ step, call, text })),
      tokens,
      limit: Lmem,
      locked,
    },
    notices: [...state.notices, ...memoryNotices(state, config), ...finalNotices(state)],
    step: state.n + 1,
    maxSteps: config.limits.maxSteps,
    final: state.final !== undefined,
    explore,
  };
}

/** The state of the memory, told as long as it lasts. */
function memoryNotices(state: AgentState, config: AgentConfig): string[] {
  if (state.final !== undefined) return [];
  const { Lmem } = sizesOf(config, state.overflowed);
  const tokens = memoryTokens(state.memory);
  if (state.memory.locked) return [memoryFull(tokens, Lmem, config.tools.memory)];
  return tokens >= WARN_SHARE * Lmem ? [memoryWarning(tokens, Lmem, config.tools.memory)] : [];
}

const finalNotices = ({ final }: AgentState): string[] => (final === undefined ? [] : [finalNotice(final)]);

/** The request of the next call: messages, tools, and how many tokens they are. */
export function promptOf(state: AgentState, config: AgentConfig): Prompt {
  const input = stepInputOf(state, config);
  const tools = renderTools(input);
  return {
    messages: renderStep(input),
    ...(tools ? { tools } : {}),
    tokens: fixedTokens(state, config) + memoryTokens(state.memory),
  };
}

const systems = new WeakMap<AgentConfig, number>();
const questions = new WeakMap<AgentConfig, Map<number, number>>();

/** Tokens of a prompt without its memory: system message, tools, question with notes. Counted once a configuration. */
export function fixedTokens(state: AgentState, config: AgentConfig): number {
  let system = systems.get(config);
  if (system === undefined) {
    const input = stepInputOf({ ...state, final: undefined } as unknown as AgentState, config);
    const tools = renderTools(input);
    system = config.count(systemOf(input)) + (tools ? config.count(JSON.stringify(tools)) : 0);
    systems.set(config, system);
    questions.set(config, new Map());
  }
  const known = questions.get(config)!;
  let question = known.get(state.notes.length);
  if (question === undefined) {
    question = config.count(questionBlock({ question: config.question.text, notes: state.notes }));
    known.set(state.notes.length, question);
  }
  return system + question;
}
