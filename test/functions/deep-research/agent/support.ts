import { initialState, reduce } from '#functions/deep-research/agent/reduce.ts';
import { promptOf } from '#functions/deep-research/agent/prompt.ts';
import type { AgentConfig, AgentState, Effect, StepDraft } from '#functions/deep-research/agent/types.ts';
import type { StoredReply } from '#functions/deep-research/records.ts';
import type { Message } from '#shared/models/types.ts';
import type { Json } from '#shared/storage/ports.ts';

/** An agent driven by hand: replies in, effects out. One word is one token. */

export const words = (count: number, word = 'word'): string =>
  Array.from({ length: count }, () => word).join(' ');

/** Distinct words, which no one can take for a stuck model. */
export const prose = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, at) => `w${from + at}`).join(' ');

export const agentConfig = (patch: Partial<AgentConfig> = {}): AgentConfig => ({
  runId: 'r-0000000000000000',
  family: 'single_turn',
  question: { kind: 'short', text: 'How long is the Danube?' },
  asOf: '2026-01-01',
  limits: {
    maxSteps: 100,
    maxModelCalls: 110,
    maxSeconds: 3600,
    maxTokens: 3_000_000,
    maxUsd: 2,
    maxSearches: 100,
  },
  context: { L: 32_768, Lmem: 24_576, maxOutputTokens: 4096 },
  tools: { search: true, browse: true, python: true, memory: 'clean' },
  entityNoun: 'entry',
  count: (text) => text.split(/\s+/).filter(Boolean).length,
  price: () => 0,
  ...patch,
});

export const call = (name: string, args: Record<string, Json>): string =>
  `<tool_call>${JSON.stringify({ name, arguments: args })}</tool_call>`;
export const search = (query: string): string => call('search_internet', { query });

export class Agent {
  state: AgentState;
  effect: Effect;
  readonly config: AgentConfig;
  readonly steps: StepDraft[] = [];
  /** Calls that reached a tool. */
  readonly executed: { name: string; arguments: Record<string, Json> }[] = [];
  /** The messages of every request. */
  readonly prompts: Message[][] = [];

  constructor(config: AgentConfig = agentConfig(), state: AgentState = initialState()) {
    this.config = config;
    ({ state: this.state, effect: this.effect } = reduce(state, { type: 'Started' }, config));
  }

  get user(): string {
    return String(promptOf(this.state, this.config).messages.at(-1)!.content);
  }

  /** One reply of the model and, where a tool is called, its result. */
  reply(text: string | StoredReply, result = 'A result.', meta: { url?: string } = {}): Effect {
    if (this.effect.type !== 'CallModel') throw new Error(`not waiting for a model: ${this.effect.type}`);
    this.prompts.push(promptOf(this.state, this.config).messages);
    const reply: StoredReply = typeof text === 'string' ? { text, finish: 'stop' } : text;
    this.#on({ type: 'ModelReplied', reply, promptTokens: 100, outputTokens: 10, ms: 5, microUsd: 0 });
    const called = this.effect as Effect;
    if (called.type === 'CallTool') {
      const { name, arguments: args } = called.call;
      if (called.recall === undefined) this.executed.push({ name, arguments: args });
      const observation = { tool: name, text: result, meta };
      this.#on({ type: 'ToolReturned', observation, cacheHit: false, ms: 1, microUsd: 0 });
    }
    const done = this.effect as Effect;
    if (done.type === 'Commit') {
      this.steps.push(done.step);
      this.#on({ type: 'Started' });
    }
    return this.effect;
  }

  #on(event: Parameters<typeof reduce>[1]): void {
    ({ state: this.state, effect: this.effect } = reduce(this.state, event, this.config));
  }

  send(event: Parameters<typeof reduce>[1]): Effect {
    this.#on(event);
    return this.effect;
  }
}
