import { createRuns } from '#functions/deep-research/run/store.ts';
import { driveSlice, type SliceResult } from '#functions/deep-research/run/slice.ts';
import type { ToolBox, World } from '#functions/deep-research/run/world.ts';
import { groupIdOf, resolveConfig, runIdOf, type ResearchConfig } from '#functions/deep-research/config.ts';
import { ResearchInputSchema } from '#functions/deep-research/input.ts';
import { NO_USAGE, type Call, type Run } from '#functions/deep-research/records.ts';
import { parseRegistry } from '#shared/models/registry.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import type { Question } from '#shared/research/types.ts';
import type { Runtime } from '#shared/task/runtime.ts';

/** Runs in a world of a test's own: a scripted model and scripted tools over real records and artifacts. */

export const JOB = 'deep-research.aaaaaaaaaaaaaaaaaaaaaaaaaa';

export const question: Question = {
  id: 'q-0000000000000000',
  kind: 'short',
  text: 'How long is the Danube?',
  gold: '2,850 km',
  evidence: [],
  split: 'train',
};

export const registry = parseRegistry({
  models: [
    { name: 'builtin', provider: 'builtin' },
    {
      name: 'm',
      provider: 'openai',
      endpoint: { url: 'http://127.0.0.1:9/v1', auth: { type: 'none' } },
      contextTokens: 32_768,
      maxOutputTokens: 4096,
      billing: 'token',
      price: [{ from: '2020-01-01', inputPerMTok: 0.1, outputPerMTok: 0.4 }],
      limits: { rpm: 6_000_000, tpm: 6_000_000_000, concurrency: 64 },
      timeoutMs: 60_000,
    },
    {
      name: 'later',
      provider: 'sagemaker-async',
      codec: 'openai',
      endpoint: { name: 'e' },
      contextTokens: 32_768,
      maxOutputTokens: 4096,
      billing: 'free',
      limits: { rpm: 600, tpm: 600_000, concurrency: 4 },
    },
  ],
});

export const researchConfig = (input: Record<string, unknown> = {}, model = 'm'): Promise<ResearchConfig> =>
  resolveConfig({
    jobId: JOB,
    input: ResearchInputSchema.parse({
      questions: [{ text: question.text }],
      corpus: { ref: { key: 'in/docs.jsonl' } },
      asOf: '2026-01-01',
      family: 'single_turn',
      ...input,
    }),
    model,
    created: '2026-01-01T00:00:00Z',
    registry,
    webSearch: false,
    content: {},
  });

export const okResult = (request: InferRequest, text: string): InferResult => ({
  id: request.id,
  status: 'ok',
  finish: 'stop',
  text,
  repairs: [],
  role: request.role,
  model: request.model,
  provider: 'openai',
  tokens: { input: 500, output: 50 },
  cacheKey: 'k',
});

export interface Script {
  /** The reply to a request: `n` is the step. */
  reply(n: number, request: InferRequest): string | InferResult | Promise<string | InferResult>;
  tool?(call: Call, n: number): Promise<string> | string;
}

export interface ScriptedWorld extends World {
  asked: InferRequest[];
  executed: { call: Call; n: number }[];
  stop: boolean;
}

/** The world of one slice. */
export async function scriptedWorld(
  runtime: Runtime,
  config: ResearchConfig,
  script: Script,
  patch: Partial<World> = {},
): Promise<ScriptedWorld> {
  const asked: InferRequest[] = [];
  const executed: ScriptedWorld['executed'] = [];
  const tools: ToolBox = {
    async run(call, { n }) {
      executed.push({ call, n });
      const text = (await script.tool?.(call, n)) ?? `result of ${JSON.stringify(call.arguments)}`;
      return { observation: { tool: call.name, text, meta: {} }, cacheHit: false, microUsd: 0 };
    },
    worstMs: () => 1000,
  };
  const world: ScriptedWorld = {
    config,
    registry,
    model: registry.models.get(config.model)!,
    artifacts: runtime.artifacts,
    records: runtime.records,
    clock: runtime.clock,
    deadline: runtime.clock.now() + 900_000,
    attempt: 1,
    async ask(request) {
      asked.push(request);
      const said = await script.reply(Number(request.meta!.step), request);
      const result = typeof said === 'string' ? okResult(request, said) : said;
      return { result, microUsd: 70 };
    },
    tools,
    cancelled: async () => world.stop,
    hold: async () => true,
    dropHold: async () => undefined,
    cite: async () => [],
    interactive: false,
    asked,
    executed,
    stop: false,
    ...patch,
  };
  return world;
}

export function newRun(config: ResearchConfig, g = 0, parent?: Run['parent']): Run {
  return {
    runId: runIdOf(config.cfg, question.id, g, parent),
    questionId: question.id,
    g,
    groupId: groupIdOf(config.cfg, question.id, parent),
    family: config.family,
    model: config.model,
    limits: config.input.limits,
    status: 'pending',
    steered: false,
    usage: { ...NO_USAGE },
    ...(parent ? { parent } : {}),
  };
}

export async function createRun(runtime: Runtime, config: ResearchConfig, g = 0): Promise<string> {
  const run = newRun(config, g);
  await createRuns(runtime.records, config.jobId, [{ run, question }]);
  return run.runId;
}

export const call = (name: string, args: Record<string, unknown>): string =>
  `<tool_call>${JSON.stringify({ name, arguments: args })}</tool_call>`;
export const search = (query: string): string => call('search_internet', { query });
export const answer = (text: string): string => `<answer>${text}</answer>`;

/** Searches `steps` times, then answers. */
export const searching = (steps: number): Script => ({
  reply: (n) => (n <= steps ? search(`query ${n}`) : answer('2,850 km')),
});

/** Slices until the run is done. */
export async function untilDone(world: World, runId: string, most = 400): Promise<SliceResult[]> {
  const results: SliceResult[] = [];
  let turns = 0;
  while (results.length < most) {
    const result = await driveSlice(world, { runId, turns });
    results.push(result);
    turns = result.turns;
    if (result.status === 'DONE') return results;
  }
  throw new Error(`not done after ${most} slices`);
}
