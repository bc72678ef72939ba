import type { InferRequest, ModelEntry, Price, Usage } from '../types.ts';

/** Costs in integer arithmetic (model-inference sections 7 and 8). */

/** Pico-dollars a token: USD a million tokens times a million, rounded once. */
const pico = (usdPerMTok: number): bigint => BigInt(Math.round(usdPerMTok * 1e6));

const MILLION = 1_000_000n;

/** Rounds up, once a row. */
const ceilMicros = (picos: bigint): number => Number((picos + MILLION - 1n) / MILLION);

/**
 * What an attempt costs, in micro-dollars: `ceil(((in - cached)*P_in + cached*P_cached + out*P_out) / 10^6)`.
 * Reasoning tokens are inside `output`; without a cached price, cached tokens cost as others.
 * @example costOf({input: 7, output: 3}, {from: '2026-01-01', inputPerMTok: 0.15, outputPerMTok: 0.6}) === 3
 */
export function costOf(usage: Usage, price: Price): number {
  const cached = Math.min(usage.cached ?? 0, usage.input);
  return ceilMicros(
    BigInt(usage.input - cached) * pico(price.inputPerMTok) +
      BigInt(cached) * pico(price.cachedInputPerMTok ?? price.inputPerMTok) +
      BigInt(usage.output) * pico(price.outputPerMTok),
  );
}

/** The most that an attempt can use. */
export interface Need {
  micros: number;
  tokens: number;
  calls: number;
}

/** UTF-8 bytes of what is sent, which no byte-level tokenizer can exceed, with room for the chat template. */
export function promptBytes(request: InferRequest, imageTokens: number): number {
  let bytes = 64;
  for (const message of request.messages) {
    bytes += 16;
    if (typeof message.content === 'string') bytes += Buffer.byteLength(message.content);
    else
      for (const part of message.content)
        bytes += part.type === 'text' ? Buffer.byteLength(part.text) : imageTokens;
    if (message.toolCalls) bytes += Buffer.byteLength(JSON.stringify(message.toolCalls));
  }
  if (request.tools?.length) bytes += Buffer.byteLength(JSON.stringify(request.tools));
  if (request.output) bytes += Buffer.byteLength(JSON.stringify(request.output.schema));
  return bytes;
}

/** Output tokens a request may produce on a model. */
export const outputBound = (request: InferRequest, model: ModelEntry): number =>
  Math.min(request.params?.maxOutputTokens ?? model.maxOutputTokens, model.maxOutputTokens);

/**
 * The reservation of one attempt: prompt bound and output bound at the model's price (section 8). Providers inside
 * this process use no tokens of anyone.
 */
export function needOf(request: InferRequest, model: ModelEntry, price: Price): Need {
  if (model.provider === 'builtin') return { micros: 0, tokens: 0, calls: 1 };
  const prompt = Math.min(model.contextTokens, promptBytes(request, model.imageTokens));
  const output = outputBound(request, model);
  return { micros: costOf({ input: prompt, output }, price), tokens: prompt + output, calls: 1 };
}
