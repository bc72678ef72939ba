import { describe, expect, it } from 'vitest';
import { resolveConfig, runIdOf, seedOf } from '#functions/deep-research/config.ts';
import { ResearchInputSchema } from '#functions/deep-research/input.ts';
import { parseRegistry } from '#shared/models/registry.ts';
import { isError } from '#shared/task/errors.ts';

const model = (name: string, patch: Record<string, unknown> = {}) => ({
  name,
  provider: 'openai',
  endpoint: { url: 'http://127.0.0.1:9/v1', auth: { type: 'none' } },
  contextTokens: 131_072,
  maxOutputTokens: 8192,
  billing: 'free',
  limits: { rpm: 60, tpm: 60_000, concurrency: 1 },
  features: { jsonSchema: true, tools: false, streaming: false },
  ...patch,
});
const registry = parseRegistry({
  models: [
    { name: 'builtin', provider: 'builtin' },
    model('large'),
    model('small', { contextTokens: 16_384 }),
    model('tiny', { contextTokens: 4096, maxOutputTokens: 2048 }),
    model('tools', { features: { jsonSchema: true, tools: true, streaming: false } }),
  ],
});

const base = {
  questions: [{ text: 'How long?' }],
  corpus: { ref: { key: 'in/docs.jsonl' } },
  asOf: '2026-01-01',
};
const resolve = (input: Record<string, unknown> = {}, name = 'large') =>
  resolveConfig({
    jobId: 'deep-research.aaaaaaaaaaaaaaaaaaaaaaaaaa',
    input: ResearchInputSchema.parse({ ...base, ...input }),
    model: name,
    created: '2026-02-03T04:05:06Z',
    registry,
    webSearch: false,
    content: {},
  });

/** The fields that are refused. */
async function refused(input: Record<string, unknown>, name?: string): Promise<string[]> {
  try {
    await resolve(input, name);
    return [];
  } catch (error) {
    if (!isError(error, 'InvalidInput')) throw error;
    return error.problems.map(({ pointer }) => pointer);
  }
}

describe('the job input', () => {
  it('fills what is not said', async () => {
    expect(await resolve()).toMatchObject({
      family: 'single_turn',
      memory: 'clean',
      temperature: 0.6,
      context: { L: 32_768, Lmem: 24_576, maxOutputTokens: 4096 },
      selfGraded: false,
    });
    expect(await resolve({ rollouts: 8 }, 'tools')).toMatchObject({
      family: 'native',
      memory: 'edit',
      temperature: 1,
    });
    // A smaller model's context is the agent's.
    expect((await resolve({}, 'small')).context).toMatchObject({
      L: 16_384,
      Lmem: 12_288,
      maxOutputTokens: 2048,
    });
    expect(await resolve({ judgeModel: 'large' })).toMatchObject({ selfGraded: true });
    const { asOf: _asOf, ...undated } = base;
    const input = ResearchInputSchema.parse(undated);
    const given = {
      jobId: '',
      input,
      model: 'large',
      created: '2026-02-03T04:05:06Z',
      registry,
      webSearch: false,
      content: {},
    };
    expect(await resolveConfig(given)).toMatchObject({ asOf: '2026-02-03' });
  });

  it('is refused by the field that cannot be', async () => {
    expect(await refused({}, 'nobody')).toEqual(['/model']);
    expect(await refused({ judgeModel: 'nobody' })).toEqual(['/judgeModel']);
    expect(await refused({}, 'tiny')).toContain('/context/L');
    expect(await refused({ context: { L: 32_768 } }, 'small')).toContain('/context/L');
    expect(await refused({ context: { L: 16_384, Lmem: 12_000, maxOutputTokens: 4096 } })).toEqual([
      '/context/Lmem',
    ]);
    expect(await refused({ tools: { search: 'http' } })).toEqual(['/tools/search']);
    const parse = (input: Record<string, unknown>) =>
      ResearchInputSchema.safeParse({ ...base, ...input }).error?.issues.map(({ path }) => path.join('/'));
    expect(parse({ corpus: undefined })).toEqual(['corpus']);
    expect(parse({ context: { L: 8000 } })).toEqual(['context/L']);
    expect(parse({ rollouts: 65 })).toEqual(['rollouts']);
    expect(parse({ unknown: 1 })).toEqual(['']);
    expect(parse({ limits: { maxSteps: 401 } })).toEqual(['limits/maxSteps']);
    expect(parse({ questions: Array.from({ length: 101 }, (_, k) => ({ text: `q${k}` })) })).toBeDefined();
  });

  it('gives the same ids and seeds for the same data, others for other data', async () => {
    const { cfg } = await resolve();
    expect((await resolve({ concurrency: 7 })).cfg).toBe(cfg);
    expect((await resolve({ seed: 1 })).cfg).not.toBe(cfg);
    expect((await resolve({}, 'tools')).cfg).not.toBe(cfg);
    const ids = [0, 1].flatMap((g) => [
      runIdOf(cfg, 'q-1', g),
      runIdOf(cfg, 'q-1', g, { runId: 'r-1', step: 3 }),
    ]);
    expect(new Set(ids).size).toBe(4);
    const seeds = [0, 1].flatMap((g) =>
      [1, 2].flatMap((n) => [0, 1].map((attempt) => seedOf(cfg, 'q-1', g, n, attempt))),
    );
    expect(new Set(seeds).size).toBe(8);
    for (const seed of seeds) expect(seed).toBeLessThan(2 ** 31);
  });
});
