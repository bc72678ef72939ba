import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isError, storageUnavailable, type AgentmillError } from '#shared/task/errors.ts';
import type { RecordItem, Records } from '#shared/storage/ports.ts';
import {
  loadRegistry,
  parseRegistry,
  priceAt,
  priceVersionOf,
  writeOverlay,
} from '#shared/models/registry.ts';
import { mergePatch, putOverlay } from '#shared/models/registry/overlay.ts';

const sagemaker = {
  name: 'qwen-32b',
  provider: 'sagemaker',
  endpoint: { name: 'am-qwen-32b', region: 'eu-west-1' },
  codec: 'openai',
  contextTokens: 32768,
  maxOutputTokens: 8192,
  price: [{ from: '2026-01-01', inputPerMTok: 0.2, outputPerMTok: 0.6 }],
  limits: { rpm: 600, tpm: 400000, concurrency: 32 },
};
const { price: _price, ...priceless } = sagemaker;
const { codec: _codec, ...codecless } = sagemaker;
const { limits: _limits, ...limitless } = sagemaker;
const openai = {
  name: 'o',
  provider: 'openai',
  endpoint: { url: 'https://models.example.com/v1' },
  contextTokens: 1000,
  maxOutputTokens: 100,
  billing: 'free',
  limits: sagemaker.limits,
};

function faults(...models: unknown[]): { pointer: string; code: string }[] {
  try {
    parseRegistry({ models });
  } catch (error) {
    expect(isError(error, 'InvalidInput')).toBe(true);
    const { problems, message } = error as AgentmillError;
    for (const problem of problems) expect(message).toContain(problem.pointer);
    return problems.map(({ pointer, code }) => ({ pointer, code }));
  }
  return [];
}

describe('the registry', () => {
  it.each<[string, unknown[], string]>([
    ['a duplicate name', [sagemaker, sagemaker], '/models/1/name'],
    ['no price', [priceless], '/models/0/price'],
    ['no codec', [codecless], '/models/0/codec'],
    ['no limits', [limitless], '/models/0/limits/rpm'],
    ['one limit missing', [{ ...sagemaker, limits: { rpm: 1, tpm: 1 } }], '/models/0/limits/concurrency'],
    [
      'a negative price',
      [{ ...sagemaker, price: [{ from: '2026-01-01', inputPerMTok: -1, outputPerMTok: 0 }] }],
      '/models/0/price/0/inputPerMTok',
    ],
    [
      'a negative limit',
      [{ ...sagemaker, limits: { rpm: -1, tpm: 1, concurrency: 1 } }],
      '/models/0/limits/rpm',
    ],
    ['negative context', [{ ...sagemaker, contextTokens: -5 }], '/models/0/contextTokens'],
    ['more output than context', [{ ...sagemaker, maxOutputTokens: 32769 }], '/models/0/maxOutputTokens'],
    [
      'variant and component',
      [{ ...sagemaker, endpoint: { name: 'e', variant: 'a', inferenceComponent: 'b' } }],
      '/models/0/endpoint/inferenceComponent',
    ],
    [
      'a variant on async',
      [{ ...sagemaker, provider: 'sagemaker-async', endpoint: { name: 'e', variant: 'a' } }],
      '/models/0/endpoint/variant',
    ],
    [
      'a component on async',
      [{ ...sagemaker, provider: 'sagemaker-async', endpoint: { name: 'e', inferenceComponent: 'a' } }],
      '/models/0/endpoint/inferenceComponent',
    ],
    [
      'tools without codec support',
      [{ ...sagemaker, codec: 'generate', chatTemplate: 'chatml', features: { tools: true } }],
      '/models/0/features/tools',
    ],
    [
      'images without codec support',
      [{ ...sagemaker, codec: 'generate', chatTemplate: 'chatml', features: { images: true } }],
      '/models/0/features/images',
    ],
    [
      'a template of no name we know',
      [{ ...sagemaker, codec: 'generate', chatTemplate: 'chatlm' }],
      '/models/0/chatTemplate',
    ],
    [
      'a template that leaves the conversation out',
      [{ ...sagemaker, codec: 'generate', chatTemplate: '{{ prompt }}' }],
      '/models/0/chatTemplate',
    ],
    ['generate without template', [{ ...sagemaker, codec: 'generate' }], '/models/0/chatTemplate'],
    [
      'an inline key',
      [{ ...openai, endpoint: { ...openai.endpoint, apiKey: 'k' } }],
      '/models/0/endpoint/apiKey',
    ],
    [
      'an inline token',
      [{ ...openai, endpoint: { ...openai.endpoint, auth: { type: 'secret', secret: 'a', token: 'x' } } }],
      '/models/0/endpoint/auth/token',
    ],
    [
      'a secret for its name',
      [
        {
          ...openai,
          endpoint: { ...openai.endpoint, auth: { type: 'secret', secret: `sk-${'a'.repeat(40)}` } },
        },
      ],
      '/models/0/endpoint/auth/secret',
    ],
    [
      'a bare key for its name',
      [{ ...openai, endpoint: { ...openai.endpoint, auth: { type: 'secret', secret: '0a'.repeat(20) } } }],
      '/models/0/endpoint/auth/secret',
    ],
    [
      'a password in the address',
      [{ ...openai, endpoint: { url: 'https://u:p@models.example.com/v1' } }],
      '/models/0/endpoint/url',
    ],
    [
      'a key in the address',
      [{ ...openai, endpoint: { url: 'https://models.example.com/v1?key=abc' } }],
      '/models/0/endpoint/url',
    ],
    ['plain HTTP', [{ ...openai, endpoint: { url: 'http://10.0.0.7/v1' } }], '/models/0/endpoint/url'],
    ['no context size', [{ ...openai, contextTokens: undefined }], '/models/0/contextTokens'],
    ['no address', [{ ...openai, endpoint: {} }], '/models/0/endpoint/url'],
    ['an unknown provider', [{ name: 'x', provider: 'magic' }], '/models/0/provider'],
    [
      'a record mode without upstream',
      [{ name: 'r', provider: 'replay', endpoint: { file: 'a.jsonl', mode: 'record' } }],
      '/models/0/endpoint/upstream',
    ],
    [
      'an unknown upstream',
      [{ name: 'r', provider: 'replay', endpoint: { file: 'a', mode: 'record', upstream: 'zz' } }],
      '/models/r/endpoint/upstream',
    ],
    [
      'two prices of one day',
      [{ ...sagemaker, price: [...sagemaker.price, ...sagemaker.price] }],
      '/models/0/price/1/from',
    ],
  ])('[model-inference 2] refuses %s, naming the field', (_name, models, pointer) => {
    expect(faults(...models).map((fault) => fault.pointer)).toContain(pointer);
  });

  it('names the model beside the place of its fault', () => {
    expect(() => parseRegistry({ models: [openai, { ...codecless, name: 'second' }] })).toThrow(
      '/models/1/codec (second): ',
    );
  });

  it('never fails in any other way, whatever the file holds, and repeats no value of a field it does not know', () => {
    const key = 'canary-9f31';
    const path = fc.constantFrom('name', 'provider', 'endpoint', 'price', 'limits', 'features', 'async', 'x');
    const entry = fc
      .tuple(
        fc.constantFrom(sagemaker, openai, {}),
        path,
        fc.oneof(fc.jsonValue(), fc.constant({ apiKey: key })),
      )
      .map(([base, field, value]) => ({ ...base, [field]: value }));
    const file = fc.oneof(
      fc.jsonValue(),
      fc.record({ models: fc.array(fc.oneof(fc.jsonValue(), entry), { maxLength: 4 }) }),
      fc.record({ models: fc.constant([openai]), routes: fc.jsonValue() }),
    );
    fc.assert(
      fc.property(file, (content) => {
        try {
          parseRegistry(content);
        } catch (error) {
          expect(isError(error, 'InvalidInput')).toBe(true);
          expect((error as Error).message).not.toContain(key);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('lists every fault at once', () => {
    expect(
      faults(priceless, { ...codecless, name: 'b' }, { ...sagemaker, name: 'Bad Name' }).map(
        (f) => f.pointer,
      ),
    ).toEqual(['/models/0/price', '/models/1/codec', '/models/2/name']);
  });

  it('refuses routes to unknown models and names used twice', () => {
    const load = (route: unknown): unknown => parseRegistry({ models: [sagemaker], routes: [route] });
    expect(() => load({ name: 'judge', policy: 'cascade', models: ['zz'] })).toThrow(
      /routes\/0\/models\/0.*no model `zz`/,
    );
    expect(() => load({ name: 'qwen-32b', policy: 'static', models: ['qwen-32b'] })).toThrow(
      /routes\/0\/name/,
    );
    expect(() => load({ name: 'judge', policy: 'static', models: ['qwen-32b', 'qwen-32b'] })).toThrow(
      /listed twice/,
    );
  });

  it('fills the defaults of the specification', () => {
    const { models } = parseRegistry({
      models: [
        { name: 'builtin', provider: 'builtin' },
        { ...sagemaker, features: { tools: true } },
      ],
    });
    expect(models.get('builtin')).toMatchObject({
      billing: 'free',
      enabled: true,
      price: [],
      tokenizer: 'bytes',
    });
    expect(models.get('qwen-32b')).toMatchObject({
      billing: 'hour',
      imageTokens: 4096,
      timeoutMs: 60000,
      served: 'qwen-32b',
      features: { jsonSchema: false, tools: true, streaming: false },
    });
  });

  it('[model-inference 4] a price of tomorrow leaves the priceVersion of today', () => {
    const model = parseRegistry({
      models: [
        {
          ...sagemaker,
          price: [{ from: '2026-03-02', inputPerMTok: 9, outputPerMTok: 9 }, ...sagemaker.price],
        },
      ],
    }).models.get('qwen-32b')!;
    const today = Date.UTC(2026, 2, 1, 23, 59, 59, 999);
    expect(priceVersionOf(model, priceAt(model, today))).toBe('qwen-32b@2026-01-01');
    expect(priceVersionOf(model, priceAt(model, today + 1))).toBe('qwen-32b@2026-03-02');
    expect(priceAt(model, today + 1).inputPerMTok).toBe(9);
    expect(() => priceAt(model, Date.UTC(2025, 0, 1))).toThrow(/no price yet/);
  });

  it('applies merge patches as RFC 7396 says', () => {
    expect(mergePatch({ a: 'b', c: { d: 'e', f: 'g' } }, { a: 'z', c: { f: null } })).toEqual({
      a: 'z',
      c: { d: 'e' },
    });
    expect(mergePatch({ a: [1] }, { a: { b: null } })).toEqual({ a: {} });
    expect(mergePatch({}, JSON.parse('{"__proto__":{"x":1}}'))).not.toHaveProperty('x');
  });
});

/** Just enough of the port: one partition of overlays. */
function recordsOf(): Records & { failing: boolean } {
  const items = new Map<string, RecordItem>();
  const port = {
    failing: false,
    async query() {
      if (port.failing) throw storageUnavailable('down');
      return { items: [...items.values()] };
    },
    async put(item: { pk: string }) {
      const stored = { ...item, version: (items.get(item.pk)?.version ?? 0) + 1 } as RecordItem;
      items.set(item.pk, stored);
      return stored;
    },
  };
  return port as unknown as Records & { failing: boolean };
}

describe('loadRegistry', () => {
  const runtimeAt = (env: Record<string, string> = {}) => {
    const records = recordsOf();
    const clock = { time: 1_000_000, now: () => clock.time, sleep: async () => {} };
    return { records, clock, env };
  };

  it('offers builtin and only free loopback servers on a fresh machine', async () => {
    const { models } = await loadRegistry(runtimeAt());
    expect(models.get('builtin')?.provider).toBe('builtin');
    for (const model of models.values()) {
      expect(model.billing).toBe('free');
      if (model.endpoint.url) expect(model.endpoint.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
    }
  });

  it('[model-inference 2] rereads overlays every 60 s: they add, disable, re-limit and re-price, never change a provider', async () => {
    const runtime = runtimeAt();
    const write = (name: string, patch: never, expected = 0) =>
      putOverlay(runtime.records, runtime.clock, { name, patch, by: 'ops', expected });
    expect((await loadRegistry(runtime)).models.has('late')).toBe(false);
    const { name: _name, ...body } = sagemaker;
    await write('late', body as never);
    await write('ollama-qwen', {
      enabled: false,
      limits: { rpm: 7 },
      price: [{ from: '2026-01-01', inputPerMTok: 1, outputPerMTok: 2 }],
    } as never);
    runtime.clock.time += 59_999;
    expect((await loadRegistry(runtime)).models.has('late')).toBe(false);
    runtime.clock.time += 1;
    const { models } = await loadRegistry(runtime);
    expect(models.get('late')?.endpoint.name).toBe('am-qwen-32b');
    expect(models.get('ollama-qwen')).toMatchObject({
      enabled: false,
      limits: { rpm: 7, concurrency: 4 },
      price: [{ outputPerMTok: 2 }],
    });

    runtime.clock.time += 60_000;
    runtime.records.failing = true;
    expect((await loadRegistry(runtime)).models.has('late')).toBe(true);
    runtime.records.failing = false;
    await write('ollama-qwen', { provider: 'builtin' } as never);
    await expect(loadRegistry(runtime)).rejects.toThrow(
      /MODEL#ollama-qwen\/provider.*never changes the provider/,
    );
  });

  it('writes no overlay that would stop the loading', async () => {
    const runtime = runtimeAt();
    const write = (name: string, patch: never) =>
      writeOverlay(runtime, { name, patch, by: 'ops', expected: 0 });
    await expect(write('ollama-qwen', { provider: 'builtin' } as never)).rejects.toThrow(
      /The overlay of ollama-qwen .*MODEL#ollama-qwen\/provider.*never changes the provider/,
    );
    await expect(write('ollama-qwen', { limits: { rpm: -1 } } as never)).rejects.toThrow(/limits\/rpm/);
    await expect(write('late', { provider: 'openai' } as never)).rejects.toThrow(/MODEL#late\/endpoint\/url/);
    await write('ollama-qwen', { enabled: false } as never);
    await write('ollama-qwen', { limits: { rpm: 7 } } as never);
    runtime.clock.time += 60_000;
    expect((await loadRegistry(runtime)).models.get('ollama-qwen')).toMatchObject({
      enabled: true,
      limits: { rpm: 7 },
    });
  });

  it('reads the file that AGENTMILL_MODELS names', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'registry-'));
    try {
      const path = join(dir, 'mine.json');
      await writeFile(path, JSON.stringify({ models: [sagemaker] }));
      expect([...(await loadRegistry(runtimeAt({ AGENTMILL_MODELS: path }))).models.keys()]).toEqual([
        'qwen-32b',
      ]);
      await writeFile(path, '{');
      await expect(loadRegistry(runtimeAt({ AGENTMILL_MODELS: path }))).rejects.toThrow(
        /mine\.json cannot be read as JSON/,
      );
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
