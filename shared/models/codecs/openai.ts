import type {
  Finish,
  InferRequest,
  JsonSchema,
  Message,
  ModelEntry,
  ProviderDelta,
  ProviderReply,
  Usage,
} from '../types.ts';
import { outputBound } from '../ledger/cost.ts';
import { badResponse, unsent } from '../providers/errors.ts';
import { countOf, errorText, member, textOf, type Codec, type StreamDecoder } from './codec.ts';
import { JsonStream } from './lines.ts';

/** The wire format of chat/completions: OpenAI, vLLM, Ollama, TGI and LMI in their compatible modes, gateways. */
export const openaiCodec: Codec = {
  name: 'openai',
  encode,
  decode,
  streamDecoder: () => new OpenaiStream(),
  errorOf: (status, body) => ({ status, message: errorText(body) }),
};

// ------------------------------------------------------------------------------------------------ encode

function encode(
  request: InferRequest,
  model: ModelEntry,
  { stream = false, images = new Map() }: { stream?: boolean; images?: ReadonlyMap<string, string> } = {},
): Record<string, unknown> {
  const { params = {}, output, tools } = request;
  const hasTools = tools !== undefined && tools.length > 0;
  if (hasTools && !model.features.tools)
    throw unsent('BAD_REQUEST', `The model ${model.name} takes no tools.`);
  return {
    model: model.served ?? model.name,
    messages: request.messages.map((message) => encodeMessage(message, model, images)),
    max_tokens: outputBound(request, model),
    // Servers' own defaults differ, so ours are spelt out.
    temperature: params.temperature ?? 0,
    top_p: params.topP ?? 1,
    ...(params.stop && params.stop.length > 0 ? { stop: params.stop } : {}),
    ...(params.seed === undefined ? {} : { seed: params.seed }),
    ...(params.reasoning && model.features.reasoning ? { reasoning_effort: params.reasoning } : {}),
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    ...(output && model.features.jsonSchema
      ? {
          response_format: {
            type: 'json_schema',
            json_schema: {
              name: output.name.replace(/[^\w-]/g, '_').slice(0, 64),
              schema: output.schema,
              strict: isStrict(output.schema),
            },
          },
        }
      : {}),
    ...(hasTools
      ? {
          tools: tools.map(({ name, description, parameters }) => ({
            type: 'function',
            function: { name, description, parameters },
          })),
          tool_choice:
            typeof request.toolChoice === 'object'
              ? { type: 'function', function: { name: request.toolChoice.name } }
              : (request.toolChoice ?? 'auto'),
        }
      : {}),
  };
}

function encodeMessage(
  message: Message,
  model: ModelEntry,
  images: ReadonlyMap<string, string>,
): Record<string, unknown> {
  const calls = message.toolCalls?.map((call) => ({
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: call.argumentsText },
  }));
  const content =
    typeof message.content === 'string'
      ? message.content
      : message.content.map((part) => {
          if (part.type === 'text') return { type: 'text', text: part.text };
          if (!model.features.images) throw unsent('BAD_REQUEST', `The model ${model.name} takes no images.`);
          const url = images.get(part.key);
          if (!url) throw unsent('BAD_REQUEST', `The image ${part.key} was not loaded.`);
          return { type: 'image_url', image_url: { url } };
        });
  return {
    role: message.role,
    content: content === '' && calls && calls.length > 0 ? null : content,
    ...(calls && calls.length > 0 ? { tool_calls: calls } : {}),
    ...(message.toolCallId === undefined ? {} : { tool_call_id: message.toolCallId }),
  };
}

/** Whether `strict` is allowed to be claimed: every object closed and every property required, all the way down. */
function isStrict(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(isStrict);
  if (schema === null || typeof schema !== 'object') return true;
  const { properties, additionalProperties, required } = schema as JsonSchema;
  if (properties !== undefined || (schema as JsonSchema).type === 'object') {
    const names = Object.keys((properties as object | undefined) ?? {});
    if (additionalProperties !== false) return false;
    if (names.some((name) => !(required as string[] | undefined)?.includes(name))) return false;
  }
  return Object.values(schema).every(isStrict);
}

// ------------------------------------------------------------------------------------------------ decode

const FINISH: Record<string, Finish> = {
  stop: 'stop',
  eos: 'stop',
  eos_token: 'stop',
  stop_sequence: 'stop',
  end_turn: 'stop',
  length: 'length',
  max_tokens: 'length',
  max_output_tokens: 'length',
  model_length: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  safety: 'content_filter',
};
/** Reasons that say the server could not go on: what came so far is no answer. */
const BROKEN = new Set(['error', 'abort', 'network_error', 'insufficient_system_resource']);

function finishOf(value: unknown): Finish {
  const reason = typeof value === 'string' ? value.toLowerCase() : '';
  if (BROKEN.has(reason)) throw badResponse(`The endpoint broke off: finish reason \`${reason}\`.`);
  return (Object.hasOwn(FINISH, reason) && FINISH[reason]) || 'stop';
}

function usageOf(value: unknown): Usage | undefined {
  const input = countOf(member(value, 'prompt_tokens'));
  const output = countOf(member(value, 'completion_tokens'));
  if (input === undefined || output === undefined) return undefined;
  const cached = countOf(member(member(value, 'prompt_tokens_details'), 'cached_tokens'));
  const reasoning = countOf(member(member(value, 'completion_tokens_details'), 'reasoning_tokens'));
  return {
    input,
    output,
    ...(cached === undefined ? {} : { cached: Math.min(cached, input) }),
    ...(reasoning === undefined ? {} : { reasoning: Math.min(reasoning, output) }),
  };
}

/** Content is a string, null, or (some gateways) an array of text parts. */
function contentOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return '';
  return value.map((part) => textOf(member(part, 'text')) ?? '').join('');
}

/** Arguments are JSON text; some servers send the object itself. */
function argumentsOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

function refuseError(body: unknown): void {
  const error = member(body, 'error');
  if (error !== undefined && error !== null)
    throw badResponse('The endpoint answered an error inside HTTP 200.', undefined, errorText(body));
}

function decode(body: unknown): ProviderReply {
  refuseError(body);
  const choices = member(body, 'choices');
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
  const message = member(choice, 'message');
  if (message === null || typeof message !== 'object')
    throw badResponse('The answer has no choices[0].message.');
  const calls = member(message, 'tool_calls');
  const toolCalls = (Array.isArray(calls) ? calls : []).map((call: unknown) => {
    const id = textOf(member(call, 'id'));
    const called = member(call, 'function');
    return {
      ...(id ? { id } : {}),
      name: textOf(member(called, 'name')) ?? '',
      argumentsText: argumentsOf(member(called, 'arguments')),
    };
  });
  const text = contentOf(member(message, 'content'));
  const reasoning = textOf(member(message, 'reasoning')) ?? textOf(member(message, 'reasoning_content'));
  const refused = text === '' && Boolean(textOf(member(message, 'refusal')));
  const finish = refused ? 'content_filter' : finishOf(member(choice, 'finish_reason'));
  const usage = usageOf(member(body, 'usage'));
  return {
    text,
    finish: toolCalls.length > 0 && finish === 'stop' ? 'tool_calls' : finish,
    ...(reasoning ? { reasoning } : {}),
    ...(toolCalls.length > 0 ? { toolCalls } : {}),
    ...(usage ? { usage } : {}),
  };
}

// ------------------------------------------------------------------------------------------------ stream

class OpenaiStream implements StreamDecoder {
  readonly #lines = new JsonStream();
  readonly #calls = new CallIndex();
  #finish: Finish | undefined;

  get done(): boolean {
    return this.#lines.done;
  }

  push(bytes: Uint8Array): ProviderDelta[] {
    return this.#lines.push(bytes).flatMap((value) => this.#read(value));
  }

  end(): ProviderDelta[] {
    const deltas = this.#lines.end().flatMap((value) => this.#read(value));
    if (this.#finish) return deltas;
    if (!this.#lines.done) throw badResponse('The stream was cut before its end.');
    this.#finish = 'stop';
    return [...deltas, { type: 'finish', finish: 'stop' }];
  }

  #read(chunk: unknown): ProviderDelta[] {
    refuseError(chunk);
    const deltas: ProviderDelta[] = [];
    const choices = member(chunk, 'choices');
    const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
    // A server that does not stream sends the whole message at once.
    const delta = member(choice, 'delta') ?? member(choice, 'message');
    const reasoning = textOf(member(delta, 'reasoning')) ?? textOf(member(delta, 'reasoning_content'));
    if (reasoning) deltas.push({ type: 'reasoning', delta: reasoning });
    const text = contentOf(member(delta, 'content'));
    if (text) deltas.push({ type: 'text', delta: text });
    const calls = member(delta, 'tool_calls');
    (Array.isArray(calls) ? calls : []).forEach((call: unknown, position) =>
      deltas.push(this.#calls.place(toolDelta(call, position))),
    );
    const reason = member(choice, 'finish_reason');
    if (reason !== undefined && reason !== null) {
      this.#finish = finishOf(reason);
      deltas.push({ type: 'finish', finish: this.#finish });
    }
    const usage = usageOf(member(chunk, 'usage'));
    if (usage) deltas.push({ type: 'usage', usage });
    return deltas;
  }
}

/** No answer calls more tools than this at once; the index becomes a place in an array. */
const MAX_CALLS = 128;

type ToolDelta = ProviderDelta & { type: 'tool' };

/** Servers that number all their calls 0 begin another one with another id. */
class CallIndex {
  /** By the server's index: ours, and the id of the call there. */
  readonly #at = new Map<number, { index: number; id: string | undefined }>();
  #next = 0;

  place(delta: ToolDelta): ToolDelta {
    const found = this.#at.get(delta.index);
    if (found && (!delta.id || !found.id || found.id === delta.id)) {
      found.id ??= delta.id;
      return { ...delta, index: found.index };
    }
    // Ours are the server's own, unless it uses one twice.
    const index = found ? this.#next : delta.index;
    if (index >= MAX_CALLS) throw badResponse(`The answer calls more than ${MAX_CALLS} tools.`);
    this.#at.set(delta.index, { index, id: delta.id });
    this.#next = Math.max(this.#next, index + 1);
    return { ...delta, index };
  }
}

function toolDelta(call: unknown, position: number): ToolDelta {
  const index = countOf(member(call, 'index')) ?? position;
  if (index >= MAX_CALLS) throw badResponse(`The answer calls more than ${MAX_CALLS} tools.`);
  const id = textOf(member(call, 'id'));
  const called = member(call, 'function');
  const name = textOf(member(called, 'name'));
  return {
    type: 'tool',
    index,
    ...(id ? { id } : {}),
    ...(name ? { name } : {}),
    argumentsDelta: argumentsOf(member(called, 'arguments')),
  };
}
