import type { Finish, InferRequest, ModelEntry, ProviderDelta, ProviderReply, Usage } from '../types.ts';
import { outputBound } from '../ledger/cost.ts';
import { badResponse, unsent } from '../providers/errors.ts';
import { renderPrompt } from './chat-template.ts';
import { countOf, errorText, member, textOf, type Codec, type StreamDecoder } from './codec.ts';
import { JsonStream } from './lines.ts';

/** The wire format of TGI's /generate and LMI's native schema: one prompt text in, one text out. */
export const generateCodec: Codec = {
  name: 'generate',
  encode,
  decode,
  streamDecoder: () => new GenerateStream(),
  errorOf: (status, body) => ({ status, message: errorText(body) }),
};

function encode(
  request: InferRequest,
  model: ModelEntry,
  { stream = false }: { stream?: boolean } = {},
): Record<string, unknown> {
  const { params = {}, output } = request;
  if (request.tools && request.tools.length > 0) {
    throw unsent('BAD_REQUEST', `The codec generate of ${model.name} takes no tools.`);
  }
  const temperature = params.temperature ?? 0;
  const topP = params.topP ?? 1;
  const sampled = temperature > 0;
  return {
    inputs: renderPrompt(request.messages, model),
    parameters: {
      max_new_tokens: outputBound(request, model),
      do_sample: sampled,
      // TGI refuses a temperature of 0 and a top_p of 1.
      ...(sampled ? { temperature } : {}),
      ...(sampled && topP < 1 ? { top_p: topP } : {}),
      ...(params.seed === undefined ? {} : { seed: params.seed }),
      ...(params.stop && params.stop.length > 0
        ? { [model.dialect === 'lmi' ? 'stop_sequences' : 'stop']: params.stop }
        : {}),
      return_full_text: false,
      details: true,
      ...(output && model.features.jsonSchema ? { grammar: { type: 'json', value: output.schema } } : {}),
    },
    ...(stream ? { stream: true } : {}),
  };
}

const FINISH: Record<string, Finish> = {
  length: 'length',
  eos_token: 'stop',
  stop_sequence: 'stop',
  stop: 'stop',
  content_filter: 'content_filter',
};

/** The reason in `details`; LMI spells the key with a space. An `error` comes with HTTP 200. */
function finishOf(details: unknown): Finish {
  const reason = member(details, 'finish_reason') ?? member(details, 'finish reason');
  if (reason === 'error') throw badResponse('The endpoint broke off: finish reason `error` inside HTTP 200.');
  return (typeof reason === 'string' && FINISH[reason]) || 'stop';
}

/** Only the answer's tokens are reported; the prompt's come with TGI's `prefill`, where asked for. */
function usageOf(details: unknown): Usage | undefined {
  const output = countOf(member(details, 'generated_tokens'));
  const prefill = member(details, 'prefill');
  const input =
    countOf(member(details, 'input_length')) ??
    (Array.isArray(prefill) && prefill.length > 0 ? prefill.length : undefined);
  return output === undefined || input === undefined ? undefined : { input, output };
}

function refuseError(body: unknown): void {
  const error = member(body, 'error');
  if (error !== undefined && error !== null)
    throw badResponse('The endpoint answered an error inside HTTP 200.', undefined, errorText(body));
}

function decode(body: unknown): ProviderReply {
  const first: unknown = Array.isArray(body) && body.length === 1 ? body[0] : body;
  refuseError(first);
  const text = textOf(member(first, 'generated_text'));
  if (text === undefined) throw badResponse('The answer has no generated_text.');
  const details = member(first, 'details');
  const usage = usageOf(details);
  return { text, finish: finishOf(details), ...(usage ? { usage } : {}) };
}

class GenerateStream implements StreamDecoder {
  readonly #lines = new JsonStream();
  #streamed = false;
  #finished = false;

  get done(): boolean {
    return this.#finished || this.#lines.done;
  }

  push(bytes: Uint8Array): ProviderDelta[] {
    return this.#lines.push(bytes).flatMap((value) => this.#read(value));
  }

  end(): ProviderDelta[] {
    const deltas = this.#lines.end().flatMap((value) => this.#read(value));
    if (this.#finished) return deltas;
    if (!this.#lines.done) throw badResponse('The stream was cut before its end.');
    this.#finished = true;
    return [...deltas, { type: 'finish', finish: 'stop' }];
  }

  #read(value: unknown): ProviderDelta[] {
    const chunk: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
    refuseError(chunk);
    const deltas: ProviderDelta[] = [];
    const token = member(chunk, 'token');
    const text = textOf(member(token, 'text'));
    if (text && member(token, 'special') !== true) {
      this.#streamed = true;
      deltas.push({ type: 'text', delta: text });
    }
    const whole = textOf(member(chunk, 'generated_text'));
    const details = member(chunk, 'details');
    if (whole === undefined && (details === undefined || details === null)) return deltas;
    // A server that sends no tokens sends the whole text at the end.
    if (whole && !this.#streamed) deltas.push({ type: 'text', delta: whole });
    this.#finished = true;
    const usage = usageOf(details);
    if (usage) deltas.push({ type: 'usage', usage });
    deltas.push({ type: 'finish', finish: finishOf(details) });
    return deltas;
  }
}
