import type { InferRequest, ModelEntry, ProviderDelta, ProviderReply } from '../types.ts';
import type { Fault } from '../providers/classify.ts';

/** A wire format: requests to JSON bodies, bodies and streams to replies (model-inference section 3). */
export interface Codec {
  readonly name: ModelEntry['codec'];
  /**
   * The JSON body that asks `model` for `request`.
   * @param options.images data URLs by artifact key, for every image part.
   * @throws ProviderError BAD_REQUEST where the request needs what the model or the format lacks.
   */
  encode(
    request: InferRequest,
    model: ModelEntry,
    options?: { stream?: boolean; images?: ReadonlyMap<string, string> },
  ): Record<string, unknown>;
  /** A parsed HTTP 200 body. @throws ProviderError BAD_RESPONSE. */
  decode(body: unknown): ProviderReply;
  streamDecoder(): StreamDecoder;
  /** What an error body says, for `classify`. */
  errorOf(status: number, body: unknown): Fault;
}

/** Takes the bytes of a stream, cut anywhere. */
export interface StreamDecoder {
  /** The answer is whole: what may still come is not part of it. */
  readonly done: boolean;
  /** @throws ProviderError BAD_RESPONSE on a line that cannot be read or names an error. */
  push(bytes: Uint8Array): ProviderDelta[];
  /** The end of the bytes. @throws ProviderError BAD_RESPONSE when the answer was not complete. */
  end(): ProviderDelta[];
}

/** A value's member, when the value is an object. */
export function member(value: unknown, key: string): unknown {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** A token count as reported, or nothing where the report makes no sense. */
export const countOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;

/** The message in an error body, whichever of the usual shapes it has; at most 2,000 characters. */
export function errorText(body: unknown): string {
  const error = member(body, 'error') ?? body;
  const parts = [
    textOf(error),
    ...['message', 'detail', 'type', 'code', 'error_type'].map((key) => textOf(member(error, key))),
    textOf(member(body, 'message')),
    textOf(member(body, 'error_type')),
  ];
  return [...new Set(parts.filter((part) => part !== undefined))].join(' ').slice(0, 2000);
}
