import { resolve } from 'node:path';
import { outputBound } from '../ledger/cost.ts';
import {
  ProviderError,
  type Finish,
  type InferRequest,
  type Message,
  type ModelEntry,
  type Provider,
  type ProviderCall,
  type ProviderDelta,
  type ProviderReply,
} from '../types.ts';
import { startAttempt, type Attempt } from './attempt.ts';
import { deltaQueue } from './delta-queue.ts';
import type { ProviderEnv } from './env.ts';
import { providerError, unsent } from './errors.ts';
import { assertGguf } from './gguf-file.ts';
import { grammarSchema } from './gguf-schema.ts';
import {
  loadLlama,
  type Llama,
  type LlamaContext,
  type LlamaModel,
  type LlamaModule,
  type LlamaTurn,
} from './llama-module.ts';

const FINISH: Record<string, Finish> = {
  eogToken: 'stop',
  stopGenerationTrigger: 'stop',
  customStopTrigger: 'stop',
  maxTokens: 'length',
  functionCalls: 'tool_calls',
};

interface Loaded {
  key: string;
  module: LlamaModule;
  llama: Llama;
  model: LlamaModel;
  context: LlamaContext;
}

/** One model is in memory at a time, one request runs at a time: a laptop has no room for more. */
let loaded: Loaded | undefined;
let turn: Promise<unknown> = Promise.resolve();

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const mine = turn.then(work, work);
  turn = mine.catch(() => undefined);
  return mine;
}

/**
 * A local GGUF file through node-llama-cpp, on one CPU thread (model-inference section 4). Requests of all GGUF models
 * of a process queue for the one model in memory; another model's turn evicts it.
 */
export function ggufProvider(model: ModelEntry, env: ProviderEnv): Provider {
  const file = resolve(model.endpoint.file!);
  const key = `${file} ${model.endpoint.sha256 ?? ''} ${model.contextTokens}`;

  const ensureLoaded = async (signal: AbortSignal): Promise<Loaded> => {
    if (loaded?.key === key) return loaded;
    const { module, llama } = await loadLlama(env.runtime.env.AGENTMILL_LLAMA_DIR);
    await assertGguf(file, model.endpoint.sha256);
    await unload();
    try {
      const weights = await llama.loadModel({ modelPath: file, gpuLayers: 0, loadSignal: signal });
      const context = await weights.createContext({
        contextSize: model.contextTokens,
        threads: 1,
        sequences: 1,
      });
      return (loaded = { key, module, llama, model: weights, context });
    } catch (error) {
      signal.throwIfAborted();
      throw unsent(
        'FILE_MISSING',
        `The model file ${file} cannot be loaded: ${(error as Error).message}`,
        error,
      );
    }
  };

  const run = (call: ProviderCall, onDelta?: (delta: ProviderDelta) => void): Promise<ProviderReply> =>
    inTurn(async () => {
      // Waiting for a turn does not count: the time-out is for the model.
      const attempt = startAttempt(call);
      try {
        return await generate(await ensureLoaded(attempt.signal), call, attempt, onDelta);
      } catch (error) {
        if (error instanceof ProviderError) throw error;
        throw attempt.interrupted(error) ?? providerError({}, 'The local model failed.', { cause: error });
      } finally {
        attempt.dispose();
      }
    });

  return {
    name: 'gguf',
    call: (call) => run(call),
    async *stream(call): AsyncGenerator<ProviderDelta> {
      const queue = deltaQueue();
      // A reader that stops reading stops the model.
      const reader = new AbortController();
      const signal = AbortSignal.any([call.signal, reader.signal]);
      const done = run({ ...call, signal }, queue.push).then((reply) => {
        if (reply.usage) queue.push({ type: 'usage', usage: reply.usage });
        reply.toolCalls?.forEach(({ name, argumentsText }, index) =>
          queue.push({ type: 'tool', index, name, argumentsDelta: argumentsText }),
        );
        queue.push({ type: 'finish', finish: reply.finish });
        queue.end();
      }, queue.fail);
      try {
        yield* queue.deltas;
      } finally {
        reader.abort();
      }
      await done;
    },
    close: () => inTurn(async () => (loaded?.key === key ? unload() : undefined)),
  };
}

async function unload(): Promise<void> {
  const old = loaded;
  loaded = undefined;
  await old?.model.dispose();
}

async function generate(
  { module, llama, context }: Loaded,
  { request, model }: ProviderCall,
  attempt: Attempt,
  onDelta?: (delta: ProviderDelta) => void,
): Promise<ProviderReply> {
  const { params = {} } = request;
  attempt.signal.throwIfAborted();
  // Grammar and functions exclude each other; tools come first, for an output schema is validated in any case.
  const hasTools = request.tools !== undefined && request.tools.length > 0 && request.toolChoice !== 'none';
  if (hasTools && !model.features.tools)
    throw unsent('BAD_REQUEST', `The model ${model.name} takes no tools.`);
  const constrained =
    request.output && model.features.jsonSchema && !hasTools
      ? grammarSchema(request.output.schema)
      : undefined;
  const grammar = constrained ? await llama.createGrammarForJsonSchema(constrained) : undefined;
  const sequence = context.getSequence();
  const chat = new module.LlamaChat({ contextSequence: sequence, chatWrapper: 'auto' });
  let reasoning = '';
  try {
    const result = await chat.generateResponse(historyOf(request, model), {
      signal: attempt.signal,
      maxTokens: outputBound(request, model),
      temperature: params.temperature ?? 0,
      topP: params.topP ?? 1,
      ...(params.seed === undefined ? {} : { seed: params.seed }),
      ...(params.stop && params.stop.length > 0 ? { customStopTriggers: params.stop } : {}),
      ...(hasTools ? { functions: functionsOf(request) } : grammar ? { grammar } : {}),
      onResponseChunk(chunk) {
        if (!chunk.text) return;
        const thought = chunk.type === 'segment';
        if (thought) reasoning += chunk.text;
        onDelta?.({ type: thought ? 'reasoning' : 'text', delta: chunk.text });
      },
    });
    const calls = result.functionCalls ?? [];
    return {
      text: result.response,
      finish: FINISH[result.metadata.stopReason] ?? 'stop',
      ...(reasoning ? { reasoning } : {}),
      ...(calls.length > 0
        ? {
            toolCalls: calls.map((call) => ({
              name: call.functionName,
              argumentsText: JSON.stringify(call.params ?? {}),
            })),
          }
        : {}),
      usage: { input: sequence.tokenMeter.usedInputTokens, output: sequence.tokenMeter.usedOutputTokens },
    };
  } finally {
    chat.dispose();
    sequence.dispose();
  }
}

function functionsOf(
  request: InferRequest,
): Record<string, { description: string; params?: Record<string, unknown> }> {
  const tools =
    typeof request.toolChoice === 'object'
      ? request.tools!.filter(({ name }) => name === (request.toolChoice as { name: string }).name)
      : request.tools!;
  return Object.fromEntries(
    tools.map(({ name, description, parameters }) => {
      const params = grammarSchema(parameters);
      return [name, { description, ...(params ? { params } : {}) }];
    }),
  );
}

/** The conversation as node-llama-cpp keeps it: tool results belong to the calls they answer. */
function historyOf(request: InferRequest, model: ModelEntry): LlamaTurn[] {
  const results = new Map(
    request.messages
      .filter(({ role }) => role === 'tool')
      .map((message) => [message.toolCallId, textOf(message, model)]),
  );
  const turns: LlamaTurn[] = [];
  for (const message of request.messages) {
    if (message.role === 'system' || message.role === 'user')
      turns.push({ type: message.role, text: textOf(message, model) });
    else if (message.role === 'assistant') {
      const text = textOf(message, model);
      const calls = (message.toolCalls ?? []).map((call) => ({
        type: 'functionCall' as const,
        name: call.name,
        params: call.arguments ?? {},
        result: results.get(call.id) ?? null,
      }));
      turns.push({ type: 'model', response: [...(text ? [text] : []), ...calls] });
    }
  }
  // What is generated goes on from the last model turn; after a user's there is a new, empty one.
  return turns.at(-1)?.type === 'model' ? turns : [...turns, { type: 'model', response: [] }];
}

function textOf({ content }: Message, model: ModelEntry): string {
  if (typeof content === 'string') return content;
  return content
    .map((part) => {
      if (part.type !== 'text') throw unsent('BAD_REQUEST', `The model ${model.name} takes no images.`);
      return part.text;
    })
    .join('');
}
