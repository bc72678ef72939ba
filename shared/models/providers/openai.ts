import { PassThrough, pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { Agent, request as send, type Dispatcher } from 'undici';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { REDACTED } from '#shared/task/redact.ts';
import { codecOf } from '../codecs/index.ts';
import { MAX_BODY_BYTES } from '../codecs/lines.ts';
import { isLoopback } from '../registry/loopback.ts';
import {
  ProviderError,
  type ModelEntry,
  type Provider,
  type ProviderCall,
  type ProviderDelta,
} from '../types.ts';
import { startAttempt, untilDone, type Attempt } from './attempt.ts';
import type { ProviderEnv } from './env.ts';
import { badResponse, providerError, unsent } from './errors.ts';
import { inlineImages } from './images.ts';
import { retryAfterMs } from './retry-after.ts';
import { tokenProvider, type TokenProvider } from './token.ts';

const CONNECT_MS = 10_000;
/** The longest silence inside a stream. */
const IDLE_MS = 30_000;
/** How much of an error's body is read, and how long it is waited for. */
const MAX_ERROR_BYTES = 65_536;
const ERROR_MS = 5000;

/**
 * Any server of chat/completions: vLLM on a TPU VM or GPU, Ollama, gateways (model-inference section 4). HTTPS only,
 * except on loopback; redirects are not followed, for they would carry the token elsewhere.
 * @param options.idleMs the longest silence inside a stream; 30 s.
 */
export function openaiProvider(
  model: ModelEntry,
  env: ProviderEnv,
  options: { idleMs?: number } = {},
): Provider {
  const url = new URL(`${model.endpoint.url!.replace(/\/+$/, '')}/chat/completions`);
  if (url.protocol !== 'https:' && !isLoopback(url.hostname)) {
    throw unsent('BAD_REQUEST', `The model ${model.name} must be reached by HTTPS.`);
  }
  const agent = new Agent({
    connect: { timeout: CONNECT_MS },
    connections: model.limits.concurrency + 8,
    // The attempt keeps the time; undici's own limits would cut slow local models.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const tokens = tokenProvider(model.endpoint.auth ?? { type: 'none' }, env.runtime);
  const post = (call: ProviderCall, attempt: Attempt, stream: boolean): Promise<Dispatcher.ResponseData> =>
    exchange({ call, attempt, stream, url, agent, tokens, env });
  const codec = codecOf(model);

  return {
    name: 'openai',
    async call(call) {
      const attempt = startAttempt(call);
      let answered = false;
      try {
        const response = await post(call, attempt, false);
        answered = true;
        const body = await readBody(plainBody(response));
        let parsed: unknown;
        try {
          parsed = JSON.parse(body);
        } catch (error) {
          throw badResponse('The answer is not JSON.', error);
        }
        return { ...codec.decode(parsed), httpStatus: response.statusCode };
      } catch (error) {
        throw asProviderError(error, attempt, { answered });
      } finally {
        attempt.dispose();
      }
    },
    async *stream(call): AsyncGenerator<ProviderDelta> {
      const attempt = startAttempt(call);
      let answered = false;
      let midStream = false;
      try {
        const response = await post(call, attempt, true);
        answered = true;
        const decoder = codec.streamDecoder();
        attempt.idle(options.idleMs ?? IDLE_MS);
        for await (const chunk of untilDone<Uint8Array>(plainBody(response), attempt, decoder)) {
          attempt.idle(options.idleMs ?? IDLE_MS);
          for (const delta of decoder.push(chunk)) {
            midStream = true;
            yield delta;
          }
        }
        yield* decoder.end();
      } catch (error) {
        throw asProviderError(error, attempt, { answered, midStream });
      } finally {
        attempt.dispose();
      }
    },
    close: () => agent.close(),
  };
}

interface Exchange {
  call: ProviderCall;
  attempt: Attempt;
  stream: boolean;
  url: URL;
  agent: Agent;
  tokens: TokenProvider;
  env: ProviderEnv;
}

/** One request, and a second one only where the first was refused for its token. Anything but 200 is an error. */
async function exchange({
  call,
  attempt,
  stream,
  url,
  agent,
  tokens,
  env,
}: Exchange): Promise<Dispatcher.ResponseData> {
  const { model, request } = call;
  const images = await inlineImages(request, env.runtime.artifacts);
  const codec = codecOf(model);
  const sent = JSON.stringify(codec.encode(request, model, { stream, images }));
  let token = await tokens.get();
  for (let refused = false; ; refused = true) {
    const response = await send(url, {
      method: 'POST',
      dispatcher: agent,
      signal: attempt.signal,
      body: sent,
      headers: {
        'content-type': 'application/json',
        accept: stream ? 'text/event-stream' : 'application/json',
        'accept-encoding': 'identity',
        'x-request-id': call.attemptId,
        // Opaque to the server, safe in a header whatever the key holds.
        'idempotency-key': /^[\w.:-]{1,128}$/.test(call.idempotencyKey)
          ? call.idempotencyKey
          : sha256Hex(call.idempotencyKey),
        ...(token ? { authorization: `Bearer ${token.token}` } : {}),
      },
    });
    if (response.statusCode === 200) return response;
    const body = await errorBody(response);
    // A careless gateway may repeat what it was sent.
    const text = token ? body.replaceAll(token.token, REDACTED) : body;
    if (response.statusCode === 401 && token && !refused) {
      token = await tokens.renew(token);
      continue;
    }
    const wait = retryAfterMs(response.headers['retry-after'], Date.now());
    const { location } = response.headers;
    const fault = codec.errorOf(response.statusCode, parsedOrText(text));
    throw providerError(
      location === undefined
        ? fault
        : { ...fault, message: `redirected to ${String(location).slice(0, 200)}` },
      `${model.name} answered HTTP ${response.statusCode}.`,
      wait === undefined ? {} : { retryAfterMs: wait },
    );
  }
}

function parsedOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(0, 2000);
  }
}

const DECODERS: Record<string, () => Transform> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/** The body itself, of a server that compresses without being asked to. */
function plainBody({ headers, body }: Dispatcher.ResponseData): Readable {
  const coding = String(headers['content-encoding'] ?? 'identity').toLowerCase();
  if (coding === 'identity' || coding === '') return body;
  if (!Object.hasOwn(DECODERS, coding)) throw badResponse(`The answer has the unknown encoding ${coding}.`);
  // The last part hands errors of all on to who reads.
  return pipeline(body, DECODERS[coding]!(), new PassThrough(), () => undefined);
}

/** What an error says: as much of it as comes in time. Its status is known already, whatever becomes of the rest. */
async function errorBody(response: Dispatcher.ResponseData): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const late = setTimeout(() => response.body.destroy(), ERROR_MS);
  try {
    for await (const chunk of plainBody(response) as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_ERROR_BYTES) break;
    }
  } catch {
    // It broke off, or is compressed in no way we know.
  } finally {
    clearTimeout(late);
    response.body.destroy();
  }
  return Buffer.concat(chunks).toString('utf8', 0, MAX_ERROR_BYTES);
}

async function readBody(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw badResponse(`The answer is larger than ${MAX_BODY_BYTES} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * Everything a provider throws is a ProviderError.
 * @param answered HTTP 200 had come: what breaks from then on is a cut answer. @param midStream text had come already.
 */
function asProviderError(
  error: unknown,
  attempt: Attempt,
  { answered = false, midStream = false },
): ProviderError {
  const interrupted = attempt.interrupted(error, midStream);
  if (interrupted) return interrupted;
  if (error instanceof ProviderError) {
    return midStream && error.billed === 'no'
      ? new ProviderError(error.code, error.message, { billed: 'unknown', cause: error })
      : error;
  }
  const networkCode = networkCodeOf(error);
  if (networkCode === 'UND_ERR_CONNECT_TIMEOUT') {
    return providerError({ kind: 'timeout', networkCode }, `No connection within ${CONNECT_MS} ms.`, {
      cause: error,
    });
  }
  if (networkCode === undefined) return providerError({}, 'The request could not be made.', { cause: error });
  // A connection that breaks after the answer began has cut the answer, not refused it.
  return providerError(
    answered ? { kind: 'stream-cut' } : { networkCode },
    `The connection failed: ${networkCode}.`,
    {
      cause: error,
    },
  );
}

function networkCodeOf(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
    // What speaks no HTTP has no code either.
    if (at.name === 'HTTPParserError') return 'HPE_INVALID';
    if (at instanceof AggregateError && at.errors.length > 0) return networkCodeOf(at.errors[0]);
  }
  return undefined;
}
