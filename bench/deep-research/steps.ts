import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveConfig } from '#functions/deep-research/config.ts';
import { ResearchInputSchema } from '#functions/deep-research/input.ts';
import { driveSlice } from '#functions/deep-research/run/slice.ts';
import { createRuns, loadHead } from '#functions/deep-research/run/store.ts';
import type { World } from '#functions/deep-research/run/world.ts';
import { runOf } from '#functions/deep-research/tasks/prepare.ts';
import { systemClock } from '#shared/determinism/clock.ts';
import { parseRegistry } from '#shared/models/registry.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import type { Question } from '#shared/research/types.ts';
import { openEmbedded } from '#shared/storage/embedded/index.ts';
import type { Row } from './rows.ts';

/** Steps of scripted agents with a model that answers at once: what the loop itself costs. */

const JOB = 'deep-research.aaaaaaaaaaaaaaaaaaaaaaaaaa';
const question: Question = {
  id: 'q-0000000000000000',
  kind: 'short',
  text: 'How long?',
  evidence: [],
  split: 'train',
};
const registry = parseRegistry({
  models: [{ name: 'builtin', provider: 'builtin' }],
});

const said = (request: InferRequest, text: string): InferResult => ({
  id: request.id,
  status: 'ok',
  finish: 'stop',
  text,
  repairs: [],
  role: request.role,
  model: request.model,
  provider: 'builtin',
  tokens: { input: 20_000, output: 50 },
  cacheKey: '',
});

const call = (name: string, args: Record<string, unknown>): string =>
  `<tool_call>${JSON.stringify({ name, arguments: args })}</tool_call>`;

/** Runs `runs` agents of `steps` steps side by side; results have `words` words. */
async function drive(runs: number, steps: number, words: number) {
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-bench-research-'));
  const embedded = openEmbedded({ dataDir: dir });
  try {
    const config = await resolveConfig({
      jobId: JOB,
      input: ResearchInputSchema.parse({
        questions: [{ text: question.text }],
        corpus: { ref: { key: 'none' } },
        limits: { maxSteps: 400, maxModelCalls: 1000, maxSearches: 1000, maxTokens: 1_000_000_000 },
        asOf: '2026-01-01',
      }),
      model: 'builtin',
      created: '2026-01-01',
      registry,
      webSearch: false,
      content: {},
    });
    const result = Array.from({ length: words }, (_, at) => `word${at % 997}`).join(' ');
    const world: World = {
      config,
      registry,
      // Not `builtin`: the structured input is made for that alone.
      model: { ...registry.models.get('builtin')!, provider: 'replay' },
      artifacts: embedded.artifacts(),
      records: embedded.records,
      clock: systemClock,
      deadline: Date.now() + 900_000,
      attempt: 1,
      async ask(request) {
        const n = Number(request.meta!.step);
        const text = n >= steps ? '<answer>42</answer>' : call('search_internet', { query: `query ${n}` });
        return { result: said(request, text), microUsd: 0 };
      },
      tools: {
        run: async ({ name }) => ({
          observation: { tool: name, text: result, meta: {} },
          cacheHit: false,
          microUsd: 0,
        }),
        worstMs: () => 1000,
      },
      cancelled: async () => false,
      hold: async () => true,
      dropHold: async () => undefined,
      cite: async () => [],
      interactive: false,
    };
    const made = Array.from({ length: runs }, (_, g) => ({ run: runOf(config, question, g), question }));
    await createRuns(embedded.records, JOB, made);
    const began = performance.now();
    const seconds = await Promise.all(
      made.map(async ({ run: { runId } }) => {
        await driveSlice(world, { runId, turns: 0 });
        return (performance.now() - began) / 1000;
      }),
    );
    const whole = (performance.now() - began) / 1000;
    const { run } = await loadHead(embedded.records, JOB, made[0]!.run.runId);
    if (run.status !== 'answered') throw new Error(`The run ended as ${run.status} (${run.endReason}).`);
    return { whole, seconds: seconds.sort((a, b) => a - b), rss: process.memoryUsage().rss };
  } finally {
    await embedded.close();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Section 12: steps a second with a memory near 20,000 tokens, and a hundred rollouts side by side. */
export async function stepRows(): Promise<Row[]> {
  // 120 steps of about 160 tokens: the memory grows to 20,000.
  const single = await drive(1, 120, 60);
  const many = await drive(100, 20, 400);
  const median = many.seconds[Math.floor(many.seconds.length / 2)]!;
  const slowest = many.seconds.at(-1)!;
  const row = (benchmark: string, value: number, unit: string, target: string, met: boolean): Row => ({
    benchmark,
    measured: `${value.toFixed(value < 100 ? 1 : 0)} ${unit}`,
    target,
    met,
  });
  const rate = 120 / single.whole;
  return [
    row('steps, memory growing to 20,000 tokens', rate, 'steps/s', '>= 150', rate >= 150),
    row('100 rollouts of 20 steps', many.whole, 's', '<= 30', many.whole <= 30),
    row('  resident memory', many.rss / 1e6, 'MB', '<= 1,000', many.rss <= 1e9),
    row('  slowest by median', slowest / median, 'x', '<= 3', slowest / median <= 3),
  ];
}
