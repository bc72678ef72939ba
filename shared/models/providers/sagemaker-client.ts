import { SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime';
import type { Runtime } from '#shared/task/runtime.ts';
import { member, textOf } from '../codecs/codec.ts';
import { codecOf } from '../codecs/index.ts';
import { isLoopback } from '../registry/loopback.ts';
import { ProviderError, type ModelEntry, type ProviderCall } from '../types.ts';
import type { Attempt } from './attempt.ts';
import { REALTIME_TIMEOUT_MS } from './aws-limits.ts';
import type { Fault } from './classify.ts';
import { providerError, unsent } from './errors.ts';
import { inlineImages } from './images.ts';
import { retryAfterMs } from './retry-after.ts';

/**
 * The SDK client of a model's endpoint. One HTTP request an attempt: retries are the door's to make and to record.
 * `AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME` points it at a local server; on loopback it needs no credentials.
 */
export function sagemakerClient(model: ModelEntry, runtime: Pick<Runtime, 'env'>): SageMakerRuntimeClient {
  const endpoint = runtime.env.AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME || undefined;
  const local = endpoint !== undefined && isLoopback(new URL(endpoint).hostname);
  const maxSockets = model.limits.concurrency + 8;
  const region = model.endpoint.region ?? runtime.env.AWS_REGION ?? (local ? 'us-east-1' : undefined);
  return new SageMakerRuntimeClient({
    maxAttempts: 1,
    ...(region ? { region } : {}),
    ...(endpoint ? { endpoint } : {}),
    ...(local ? { credentials: { accessKeyId: 'local', secretAccessKey: 'local' } } : {}),
    requestHandler: {
      connectionTimeout: 5000,
      requestTimeout: REALTIME_TIMEOUT_MS,
      socketTimeout: REALTIME_TIMEOUT_MS,
      // Without it the SDK only warns.
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets },
      httpsAgent: { maxSockets },
    },
  });
}

/** The encoded body of a call, its images inlined. */
export async function bodyOf(
  call: ProviderCall,
  runtime: Pick<Runtime, 'artifacts'>,
  stream: boolean,
): Promise<Uint8Array> {
  const images = await inlineImages(call.request, runtime.artifacts);
  return Buffer.from(
    JSON.stringify(codecOf(call.model).encode(call.request, call.model, { stream, images })),
  );
}

/** Headers that say which attempt of ours a request is. */
export const attributesOf = (call: ProviderCall): { InferenceId: string; CustomAttributes: string } => ({
  InferenceId: call.attemptId,
  CustomAttributes: `am-attempt=${call.attemptId}`.replace(/[^\x21-\x7e]/g, '').slice(0, 1024),
});

/** What an exception of the SDK says. */
export function faultOf(error: unknown, midStream = false): Fault {
  const status = member(member(error, '$metadata'), 'httpStatusCode');
  const original = member(error, 'OriginalStatusCode');
  const networkCode = networkCodeOf(error);
  // The SDK renames a reset connection to TimeoutError; its code still tells.
  const reset = networkCode === 'ECONNRESET' || networkCode === 'EPIPE';
  const name = error instanceof Error && !reset ? error.name : undefined;
  const message = [textOf((error as Error | undefined)?.message), textOf(member(error, 'OriginalMessage'))]
    .filter(Boolean)
    .join(' ');
  return {
    ...(name ? { exceptionName: name } : {}),
    ...(typeof status === 'number' ? { status } : {}),
    ...(typeof original === 'number' ? { originalStatus: original } : {}),
    ...(networkCode ? { networkCode } : {}),
    message,
    midStream,
  };
}

function networkCodeOf(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === 'string' && /^(?:E[A-Z]|ERR_|CERT_|UNABLE_)/.test(code)) return code;
  }
  return undefined;
}

/** Exceptions that a stream itself carries, after HTTP 200. */
const STREAM_EXCEPTION = /^(?:ModelStreamError|Internal|Throttling|ServiceUnavailable|Validation)/;

/**
 * Everything a provider throws is a ProviderError.
 * @param answered the response had begun: what fails from then on, if it is no exception of the stream, is a bad
 *   answer and not a bad service. @param midStream text had come already.
 */
export function asProviderError(
  error: unknown,
  attempt: Attempt,
  { answered = false, midStream = false } = {},
): ProviderError {
  const interrupted = attempt.interrupted(error, midStream);
  if (interrupted) return interrupted;
  if (error instanceof ProviderError) return error;
  if (error instanceof Error && error.message === 'Region is missing')
    return unsent(
      'BAD_REQUEST',
      'No AWS region is known: set endpoint.region in models.json, or AWS_REGION.',
      error,
    );
  if (error instanceof Error && error.name === 'CredentialsProviderError')
    return unsent('AUTH', 'No AWS credentials are known: set a profile or the AWS_ variables.', error);
  const fault = faultOf(error, midStream);
  const header = member(member(member(error, '$response'), 'headers'), 'retry-after');
  const wait = retryAfterMs(textOf(header), Date.now());
  const name = fault.exceptionName ?? fault.networkCode ?? 'error';
  const unreadable = (answered || fault.status === 200) && !STREAM_EXCEPTION.test(name);
  return providerError(unreadable ? { kind: 'unreadable', midStream } : fault, `SageMaker: ${name}.`, {
    cause: error,
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}
