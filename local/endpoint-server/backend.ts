import { modelError, ProtocolError, unavailable } from './protocol-errors.ts';

/** A model's answer in one piece. */
export interface BackendReply {
  status: number;
  body: string | Uint8Array;
  contentType?: string;
}

export interface BackendRequest {
  contentType: string;
  accept: string;
  /** Whether the client takes a stream. */
  stream: boolean;
  /** Aborts when the client leaves or the time is up. */
  signal: AbortSignal;
}

/** What answers behind an endpoint: a whole reply, or chunks of output as they are made. */
export type Backend = (
  endpoint: string,
  body: Uint8Array,
  request: BackendRequest,
) => Promise<BackendReply> | AsyncIterable<string | Uint8Array>;

const isIterable = (value: unknown): value is AsyncIterable<string | Uint8Array> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

export const bytesOf = (chunk: string | Uint8Array): Uint8Array =>
  typeof chunk === 'string' ? Buffer.from(chunk) : chunk;

/** The output of a call as chunks with a content type. @throws ProtocolError ModelError for a status of 400 or more. */
export async function output(
  backend: Backend,
  endpoint: string,
  body: Uint8Array,
  request: BackendRequest,
): Promise<{ contentType: string; chunks: AsyncIterable<Uint8Array> }> {
  let answer: BackendReply | AsyncIterable<string | Uint8Array>;
  try {
    answer = await backend(endpoint, body, request);
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw unavailable(`The model behind ${endpoint} did not answer: ${(error as Error).message}`);
  }
  if (isIterable(answer)) return { contentType: 'application/json', chunks: encoded(answer) };
  if (answer.status >= 400) {
    throw modelError(
      endpoint,
      answer.status,
      Buffer.from(bytesOf(answer.body)).toString('utf8').slice(0, 2048),
    );
  }
  const whole = bytesOf(answer.body);
  return { contentType: answer.contentType ?? 'application/json', chunks: encoded([whole]) };
}

async function* encoded(
  chunks: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield bytesOf(chunk);
}
