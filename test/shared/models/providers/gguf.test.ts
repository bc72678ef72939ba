import { createRequire } from 'node:module';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { closeProviders, providerFor } from '#shared/models/providers/index.ts';
import { grammarSchema } from '#shared/models/providers/gguf-schema.ts';
import { decodeOutput } from '#shared/models/structured-output.ts';
import type { InferRequest } from '#shared/models/types.ts';
import { allDeltas, callOf, envOf, errorOf, modelOf, requestOf } from './support.ts';
import { tinyGguf } from './tiny-gguf.ts';

/** Where node-llama-cpp is installed, if it is: an optional package of hundreds of megabytes. */
function llamaDir(): string | undefined {
  const folder = process.env.AGENTMILL_LLAMA_DIR ?? process.cwd();
  try {
    createRequire(join(folder, 'package.json')).resolve('node-llama-cpp');
    return folder;
  } catch {
    return undefined;
  }
}

const installed = llamaDir();
let dir: string;
let file: string;
const bytes = tinyGguf();
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gguf-'));
  file = join(dir, 'tiny.gguf');
  await writeFile(file, bytes);
});
afterAll(() => rm(dir, { recursive: true }));

const modelAt = (path: string, extra: Record<string, unknown> = {}, sha256 = sha256Hex(bytes)) =>
  modelOf({
    name: 'tiny',
    provider: 'gguf',
    endpoint: { file: path, sha256 },
    contextTokens: 1024,
    maxOutputTokens: 200,
    features: { jsonSchema: true, streaming: true },
    ...extra,
  });

const SCHEMA = {
  type: 'object',
  properties: {
    verdict: { enum: ['yes', 'no'] },
    sure: { type: 'boolean' },
    parts: { type: 'array', items: { const: 7 }, minItems: 2, maxItems: 3 },
  },
  required: ['verdict', 'sure', 'parts'],
  additionalProperties: false,
};

describe('gguf', () => {
  it('[model-inference 13] without the package: PACKAGE_MISSING with the install command', async () => {
    const model = modelAt(file);
    const env = envOf({ AGENTMILL_LLAMA_DIR: dir });
    const error = await errorOf((await providerFor(model, env)).call(callOf(model)));
    expect(error).toMatchObject({ code: 'PACKAGE_MISSING', billed: 'no' });
    expect(error.message).toContain('npm install node-llama-cpp');
  });

  it('keeps the part of a schema that a grammar can carry', () => {
    expect(grammarSchema({ ...SCHEMA, $schema: 'x', title: 't' })).toEqual({
      type: 'object',
      properties: {
        verdict: { enum: ['yes', 'no'] },
        sure: { type: 'boolean' },
        parts: { type: 'array', items: { const: 7 }, minItems: 2, maxItems: 3 },
      },
    });
    expect(grammarSchema({ type: 'string', pattern: '^a', maxLength: 5000, minLength: 1 })).toEqual({
      type: 'string',
      minLength: 1,
    });
    expect(grammarSchema({ anyOf: [{ type: 'integer' }, { type: 'null' }] })).toEqual({
      oneOf: [{ type: 'integer' }, { type: 'null' }],
    });
    expect(
      grammarSchema({ $defs: { n: { type: 'number' } }, type: 'array', items: { $ref: '#/$defs/n' } }),
    ).toEqual({
      $defs: { n: { type: 'number' } },
      type: 'array',
      items: { $ref: '#/$defs/n' },
    });
    for (const open of [{}, true, null, { allOf: [] }, { type: 'array' }, { enum: [[]] }])
      expect(grammarSchema(open)).toBeUndefined();
  });

  describe.skipIf(!installed)(`with node-llama-cpp${installed ? '' : ' (not installed: skipped)'}`, () => {
    const env = envOf(installed ? { AGENTMILL_LLAMA_DIR: installed } : {});
    afterAll(() => closeProviders(env.runtime));
    const structured = (overrides: Partial<InferRequest> = {}): InferRequest =>
      requestOf({
        output: { name: 'o', schema: SCHEMA },
        params: { temperature: 0.9, seed: 3 },
        ...overrides,
      });

    it('[model-inference 13] a self-made file under a grammar gives schema-valid JSON', async () => {
      const model = modelAt(file);
      const provider = await providerFor(model, env);
      const request = structured();
      const reply = await provider.call(callOf(model, { request }));
      expect(decodeOutput(reply, request, model)).toMatchObject({ ok: true, repairs: [] });
      expect(reply.finish).toBe('stop');
      expect(reply.usage!.input).toBeGreaterThan(0);
      expect(reply.usage!.output).toBeGreaterThan(10);
      expect((await provider.call(callOf(model, { request }))).text).toBe(reply.text);
    });

    it('streams, queues, stops at its limit and switches models', async () => {
      const model = modelAt(file);
      const provider = await providerFor(model, env);
      const deltas = await allDeltas(provider.stream!(callOf(model, { request: structured() })));
      const text = deltas.flatMap((delta) => (delta.type === 'text' ? [delta.delta] : [])).join('');
      expect(JSON.parse(text)).toHaveProperty('verdict');
      expect(deltas.at(-1)).toEqual({ type: 'finish', finish: 'stop' });

      const second = join(dir, 'second.gguf');
      await writeFile(second, bytes);
      const other = modelAt(second, { name: 'other' });
      const short = requestOf({ params: { maxOutputTokens: 4, seed: 1, temperature: 1 } });
      const replies = await Promise.all(
        [model, other, model, other].map(async (one) =>
          (await providerFor(one, env)).call(callOf(one, { request: short })),
        ),
      );
      for (const reply of replies) expect(reply).toMatchObject({ finish: 'length', text: replies[0]!.text });
    });

    it('is FILE_MISSING on a bad path, a bad hash and a file that is no model; TIMEOUT on cancellation', async () => {
      const junk = join(dir, 'junk.gguf');
      await writeFile(junk, 'GGUF, but not really');
      for (const model of [
        modelAt(join(dir, 'absent.gguf')),
        modelAt(file, {}, '0'.repeat(64)),
        modelAt(junk, {}, sha256Hex('GGUF, but not really')),
      ]) {
        expect(await errorOf((await providerFor(model, env)).call(callOf(model)))).toMatchObject({
          code: 'FILE_MISSING',
          billed: 'no',
        });
      }
      const model = modelAt(file);
      const provider = await providerFor(model, env);
      expect(await errorOf(provider.call(callOf(model, { signal: AbortSignal.abort() })))).toMatchObject({
        code: 'TIMEOUT',
      });
    });
  });
});
