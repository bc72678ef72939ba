import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { closeProviders, providerFor } from '#shared/models/providers/index.ts';
import type { LlamaChat, LlamaTurn } from '#shared/models/providers/llama-module.ts';
import { decodeOutput } from '#shared/models/structured-output.ts';
import type { InferRequest, JsonSchema } from '#shared/models/types.ts';
import { accepts, writable } from './grammar.ts';
import { allDeltas, callOf, envOf, errorOf, modelOf, requestOf } from './support.ts';
import { tinyGguf } from './tiny-gguf.ts';

/** The provider around a double of node-llama-cpp, which is too large to be installed everywhere: what it asks of it. */

type Options = Parameters<LlamaChat['generateResponse']>[1] & { grammar?: { schema: JsonSchema } };
type Played = Awaited<ReturnType<LlamaChat['generateResponse']>>;
interface Double {
  calls: string[];
  settings: Record<string, unknown>[];
  play(history: LlamaTurn[], options: Options): Played | Promise<Played>;
}
const DOUBLE = `
const double = globalThis.llamaDouble;
export async function getLlama(settings) {
  double.settings.push(settings);
  return {
    async loadModel({ modelPath, gpuLayers }) {
      double.calls.push('load ' + modelPath.split('/').at(-1) + ' gpu ' + gpuLayers);
      return {
        async createContext(options) {
          double.settings.push(options);
          return { getSequence: () => ({ tokenMeter: { usedInputTokens: 7, usedOutputTokens: 5 }, dispose() { double.calls.push('dispose sequence'); } }) };
        },
        async dispose() { double.calls.push('unload'); },
      };
    },
    async createGrammarForJsonSchema(schema) { return { schema }; },
  };
}
export class LlamaChat {
  async generateResponse(history, options) { return double.play(history, options); }
  dispose() { double.calls.push('dispose chat'); }
}`;

const double: Double = {
  calls: [],
  settings: [],
  play: () => {
    throw new Error('nothing to play');
  },
};
let dir: string;
const bytes = tinyGguf();
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gguf-double-'));
  const folder = join(dir, 'node_modules', 'node-llama-cpp');
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, 'package.json'),
    '{"name":"node-llama-cpp","type":"module","exports":"./index.js"}',
  );
  await writeFile(join(folder, 'index.js'), DOUBLE);
  for (const name of ['one.gguf', 'two.gguf']) await writeFile(join(dir, name), bytes);
  Object.assign(globalThis, { llamaDouble: double });
});
afterAll(async () => {
  Object.assign(globalThis, { llamaDouble: undefined });
  await rm(dir, { recursive: true });
});
beforeEach(() => void double.calls.splice(0));

const modelAt = (name: string, extra: Record<string, unknown> = {}) =>
  modelOf({
    name,
    provider: 'gguf',
    endpoint: { file: join(dir, `${name}.gguf`), sha256: sha256Hex(bytes) },
    contextTokens: 1024,
    maxOutputTokens: 200,
    features: { jsonSchema: true, streaming: true, tools: true },
    ...extra,
  });
const said = (response: string, stopReason = 'eogToken'): Played => ({ response, metadata: { stopReason } });
const env = () => envOf({ AGENTMILL_LLAMA_DIR: dir });

const SCHEMA = {
  type: 'object',
  properties: {
    verdict: { enum: ['yes', 'no'] },
    note: { type: 'string' },
    parts: { type: 'array', items: { type: 'integer' } },
  },
  required: ['verdict', 'parts'],
  additionalProperties: false,
};
const tools = [
  {
    name: 'add',
    description: 'Adds.',
    parameters: { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
  },
  { name: 'now', description: 'The time.', parameters: { type: 'object', properties: {} } },
];

describe('gguf around a double of the library', () => {
  it('[model-inference 13] what any model writes under the grammar it was given is valid JSON without a repair', async () => {
    const model = modelAt('one');
    const provider = await providerFor(model, env());
    const request = requestOf({
      output: { name: 'o', schema: SCHEMA },
      params: { seed: 3, temperature: 0.9, stop: ['END'] },
    });
    let grammar: JsonSchema | undefined;
    const texts = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      double.play = (_history, options) => {
        grammar = options.grammar!.schema;
        expect(options).toMatchObject({
          maxTokens: 200,
          temperature: 0.9,
          seed: 3,
          customStopTriggers: ['END'],
        });
        expect(options).not.toHaveProperty('functions');
        return said(JSON.stringify(fc.sample(writable(grammar), { numRuns: 1, seed })[0]));
      };
      const reply = await provider.call(callOf(model, { request }));
      expect(accepts(grammar!, reply.text)).toBe(true);
      expect(decodeOutput(reply, request, model)).toMatchObject({ ok: true, repairs: [] });
      expect(reply).toMatchObject({ finish: 'stop', usage: { input: 7, output: 5 } });
      texts.add(reply.text);
    }
    expect(texts.size).toBeGreaterThan(5);
    // Nothing is compiled or downloaded, on one thread of the processor; the file is loaded once.
    expect(double.settings[0]).toMatchObject({ gpu: false, build: 'never', skipDownload: true });
    expect(double.settings[1]).toEqual({ contextSize: 1024, threads: 1, sequences: 1 });
    expect(double.calls.filter((call) => call.startsWith('load'))).toEqual(['load one.gguf gpu 0']);
    expect(double.calls.filter((call) => call === 'dispose sequence')).toHaveLength(20);
  });

  it('gives no grammar beside tools, none where the model has none, none for a schema that allows anything', async () => {
    const seen: Options[] = [];
    double.play = (_history, options) => (seen.push(options), said('text'));
    const ask = async (request: InferRequest, model = modelAt('one')): Promise<void> => {
      await (await providerFor(model, env())).call(callOf(model, { request }));
    };
    const output = { name: 'o', schema: SCHEMA };
    await ask(requestOf({ output, tools }));
    await ask(requestOf({ output, tools, toolChoice: { name: 'now' } }));
    await ask(requestOf({ output, tools, toolChoice: 'none' }));
    await ask(requestOf({ output: { name: 'o', schema: {} } }));
    await ask(requestOf({ output }), modelAt('one', { features: { jsonSchema: false } }));
    expect(
      seen.map(({ grammar, functions }) => [grammar !== undefined, Object.keys(functions ?? {})]),
    ).toEqual([
      [false, ['add', 'now']],
      [false, ['now']],
      [true, []],
      [false, []],
      [false, []],
    ]);
    expect(seen[0]!.functions!.add).toEqual({
      description: 'Adds.',
      params: { type: 'object', properties: { a: { type: 'integer' } } },
    });
    const deaf = modelAt('one', { features: { tools: false } });
    const refused = await errorOf(
      (await providerFor(deaf, env())).call(callOf(deaf, { request: requestOf({ tools }) })),
    );
    expect(refused).toMatchObject({ code: 'BAD_REQUEST', unsent: true });
  });

  it('tells tool calls, limits and thoughts apart, and hands the conversation over as turns', async () => {
    const model = modelAt('one');
    const provider = await providerFor(model, env());
    let heard: LlamaTurn[] = [];
    double.play = (history, options) => {
      heard = history;
      options.onResponseChunk!({ type: 'segment', segmentType: 'thought', text: 'hm' });
      options.onResponseChunk!({ text: 'so' });
      return { ...said('so', 'functionCalls'), functionCalls: [{ functionName: 'add', params: { a: 1 } }] };
    };
    const call = { id: 'c1', name: 'now', argumentsText: '{}', arguments: {} };
    const request = requestOf({
      tools,
      messages: [
        { role: 'system', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What ' },
            { type: 'text', text: 'time?' },
          ],
        },
        { role: 'assistant', content: '', toolCalls: [call] },
        { role: 'tool', content: 'noon', toolCallId: 'c1' },
        { role: 'user', content: 'Add.' },
      ],
    });
    const deltas = await allDeltas(provider.stream!(callOf(model, { request })));
    expect(deltas).toEqual([
      { type: 'reasoning', delta: 'hm' },
      { type: 'text', delta: 'so' },
      { type: 'usage', usage: { input: 7, output: 5 } },
      { type: 'tool', index: 0, name: 'add', argumentsDelta: '{"a":1}' },
      { type: 'finish', finish: 'tool_calls' },
    ]);
    expect(heard).toEqual([
      { type: 'system', text: 'Be brief.' },
      { type: 'user', text: 'What time?' },
      { type: 'model', response: [{ type: 'functionCall', name: 'now', params: {}, result: 'noon' }] },
      { type: 'user', text: 'Add.' },
      { type: 'model', response: [] },
    ]);
    const reply = await provider.call(callOf(model, { request }));
    expect(reply).toMatchObject({
      reasoning: 'hm',
      finish: 'tool_calls',
      toolCalls: [{ argumentsText: '{"a":1}' }],
    });
    double.play = () => said('cut', 'maxTokens');
    expect(await provider.call(callOf(model))).toMatchObject({ text: 'cut', finish: 'length' });
  });

  it('runs one request at a time with one model in memory, and ends what is stopped', async () => {
    const [one, two] = [modelAt('one'), modelAt('two')];
    const world = env();
    let running = 0;
    double.play = async () => {
      expect(++running).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return said('ok');
    };
    await Promise.all(
      [one, two, two].map(async (model) => (await providerFor(model, world)).call(callOf(model))),
    );
    expect(double.calls.filter((call) => /load/.test(call)).slice(-2)).toEqual([
      'unload',
      'load two.gguf gpu 0',
    ]);
    double.play = (_history, { signal }) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    const slow = (await providerFor(two, world)).call(callOf(two, { timeoutMs: 20 }));
    expect(await errorOf(slow)).toMatchObject({ code: 'TIMEOUT' });
    double.play = () => {
      throw new Error('no kernel for this');
    };
    expect(await errorOf((await providerFor(two, world)).call(callOf(two)))).toMatchObject({
      code: 'DEFECT',
    });
    await closeProviders(world.runtime);
    expect(double.calls.at(-1)).toBe('unload');
  });
});
