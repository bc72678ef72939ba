import { InvokeEndpointAsyncCommand, type SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime';
import { isError } from '#shared/task/errors.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import { codecOf } from '../codecs/index.ts';
import { ProviderError, type ModelEntry, type ProviderCall, type ProviderReply } from '../types.ts';
import { startAttempt } from './attempt.ts';
import {
  ASYNC_FAILURE_ROOT,
  ASYNC_OUTPUT_ROOT,
  MAX_ASYNC_BODY_BYTES,
  MAX_ASYNC_INLINE_BYTES,
} from './aws-limits.ts';
import type { ProviderEnv } from './env.ts';
import { badResponse, providerError, unsent } from './errors.ts';
import { asProviderError, attributesOf, bodyOf, sagemakerClient } from './sagemaker-client.ts';

/** Grace beyond the endpoint's own limits before a request counts as lost. */
const EXPIRY_GRACE_MS = 300_000;
/** The largest output that is read back. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** Where one submission's bodies are, known before it is made. */
export interface AsyncPlan {
  /** The request's body, where it does not go inline. */
  inputKey: string;
  outputKey: string;
  failureKey: string;
  /** The `S3OutputPathExtension` and `Filename` that lead to these keys. */
  extension: string;
  filename: string;
}

/** What a submission is known by from then on. */
export interface AsyncSubmission {
  /** Our attempt id; notifications carry it. */
  inferenceId: string;
  /** Keys, and the bucket where it is not the platform's own. The endpoint's word wins over the plan. */
  outputKey: string;
  failureKey: string;
  outputBucket?: string;
  failureBucket?: string;
  /** Milliseconds since the epoch: past it the request is lost (submission, TTL, invocation time-out and 5 min). */
  expiresAt: number;
}

export type AsyncOutput =
  | { state: 'pending' }
  | { state: 'completed'; reply: ProviderReply }
  /** The endpoint gave up, or its output cannot be used. */
  | { state: 'failed'; error: ProviderError };

/**
 * The keys of a submission: the same request of a job leads to the same keys, so a resumed task finds what an
 * earlier one submitted.
 * @param parts.requestHash a hash of the request's content. @param parts.ordinal 0 for the first submission of it.
 */
export function planAsync(parts: { jobId: string; requestHash: string; ordinal: number }): AsyncPlan {
  const filename = `${parts.requestHash}-${parts.ordinal}.json`;
  return {
    inputKey: `jobs/${parts.jobId}/async/in/${parts.requestHash}.json`,
    extension: parts.jobId,
    filename,
    outputKey: `${ASYNC_OUTPUT_ROOT}/${parts.jobId}/${filename}`,
    failureKey: `${ASYNC_FAILURE_ROOT}/${parts.jobId}/${filename}`,
  };
}

/** When a request submitted at a time is lost. @throws ProviderError when the model is not asynchronous. */
export function asyncExpiry(model: ModelEntry, submittedAt: number): number {
  const settings = model.async;
  if (!settings) throw unsent('BAD_REQUEST', `The model ${model.name} has no asynchronous endpoint.`);
  return submittedAt + (settings.ttlSeconds + settings.invocationTimeoutSeconds) * 1000 + EXPIRY_GRACE_MS;
}

const clients = new WeakMap<object, Map<string, SageMakerRuntimeClient>>();

function clientOf(model: ModelEntry, env: ProviderEnv): SageMakerRuntimeClient {
  const known = clients.get(env.runtime) ?? new Map<string, SageMakerRuntimeClient>();
  clients.set(env.runtime, known);
  const key = `${model.endpoint.region ?? ''} ${model.limits.concurrency}`;
  let client = known.get(key);
  if (!client) known.set(key, (client = sagemakerClient(model, env.runtime)));
  return client;
}

/**
 * Submits one request to an asynchronous endpoint: its body is written to `plan.inputKey` first and read from there.
 * One HTTP request, no retries.
 * @param options.inline send a body of up to 128,000 bytes in the request itself instead.
 * @throws ProviderError by the error table of section 9.
 */
export async function submitAsync(
  call: ProviderCall,
  env: ProviderEnv,
  plan: AsyncPlan,
  options: { inline?: boolean } = {},
): Promise<AsyncSubmission> {
  const { model } = call;
  const { artifacts, clock } = env.runtime;
  const submittedAt = clock.now();
  const expiresAt = asyncExpiry(model, submittedAt);
  const attempt = startAttempt(call);
  try {
    const body = await bodyOf(call, env.runtime, false);
    if (body.length > MAX_ASYNC_BODY_BYTES)
      throw unsent('BAD_REQUEST', `The body of ${body.length} bytes is too large.`);
    const inline = options.inline === true && body.length <= MAX_ASYNC_INLINE_BYTES;
    if (!inline) await artifacts.put(plan.inputKey, body, { contentType: 'application/json' });
    const output = await clientOf(model, env).send(
      new InvokeEndpointAsyncCommand({
        EndpointName: model.endpoint.name!,
        ContentType: 'application/json',
        Accept: 'application/json',
        ...attributesOf(call),
        ...(inline ? { Body: body } : { InputLocation: `s3://${artifacts.bucket}/${plan.inputKey}` }),
        S3OutputPathExtension: plan.extension,
        Filename: plan.filename,
        RequestTTLSeconds: model.async!.ttlSeconds,
        InvocationTimeoutSeconds: model.async!.invocationTimeoutSeconds,
      }),
      { abortSignal: attempt.signal },
    );
    const written = location(output.OutputLocation, artifacts.bucket);
    const failed = location(output.FailureLocation, artifacts.bucket);
    return {
      inferenceId: output.InferenceId ?? call.attemptId,
      outputKey: written?.key ?? plan.outputKey,
      failureKey: failed?.key ?? plan.failureKey,
      ...(written?.bucket ? { outputBucket: written.bucket } : {}),
      ...(failed?.bucket ? { failureBucket: failed.bucket } : {}),
      expiresAt,
    };
  } catch (error) {
    throw asProviderError(error, attempt);
  } finally {
    attempt.dispose();
  }
}

/** Splits an `s3://` URI; the bucket is left out where it is the platform's own. */
function location(uri: string | undefined, own: string): { bucket?: string; key: string } | undefined {
  const match = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri ?? '');
  if (!match) return undefined;
  return match[1] === own ? { key: match[2]! } : { bucket: match[1]!, key: match[2]! };
}

/**
 * What has become of a submission: reads its output, else its failure file.
 * Storage faults are thrown as they are (`StorageUnavailable`): they say nothing about the model.
 */
export async function readAsyncOutput(
  model: ModelEntry,
  env: ProviderEnv,
  submission: Pick<AsyncSubmission, 'outputKey' | 'failureKey' | 'outputBucket' | 'failureBucket'>,
): Promise<AsyncOutput> {
  const bucketOf = (name: string | undefined): Artifacts =>
    name ? env.runtime.bucket(name) : env.runtime.artifacts;
  const output = await readWhole(bucketOf(submission.outputBucket), submission.outputKey);
  if (output !== undefined) {
    try {
      return { state: 'completed', reply: { ...codecOf(model).decode(parsed(output)), httpStatus: 200 } };
    } catch (error) {
      if (error instanceof ProviderError) return { state: 'failed', error };
      throw error;
    }
  }
  const failure = await readWhole(bucketOf(submission.failureBucket), submission.failureKey);
  return failure === undefined ? { state: 'pending' } : { state: 'failed', error: asyncFailure(failure) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badResponse('The output is not JSON.', error);
  }
}

/** A missing object is undefined, an oversize one unreadable text. */
async function readWhole(artifacts: Artifacts, key: string): Promise<string | undefined> {
  try {
    const object = await artifacts.get(key);
    if (object.bytes > MAX_OUTPUT_BYTES) return '';
    const chunks: Uint8Array[] = [];
    for await (const chunk of object.body) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  }
}

/**
 * The error of a failed submission, from the text of its failure file or the `failureReason` of its notification,
 * which name the container's status as `(500)` or `status code 500`.
 */
export function asyncFailure(reason: string): ProviderError {
  if (/expired|\bTTL\b/i.test(reason)) {
    return new ProviderError('EXPIRED', 'The request expired in the queue of the endpoint.', {
      billed: 'no',
    });
  }
  if (/timed? ?out/i.test(reason))
    return providerError({ kind: 'timeout' }, 'The endpoint ran out of its invocation time-out.');
  const status = /\((\d{3})\)|status(?: code)?:? (\d{3})/i.exec(reason);
  return providerError(
    {
      exceptionName: 'ModelError',
      originalStatus: Number(status?.[1] ?? status?.[2] ?? 0),
      message: reason.slice(0, 2000),
    },
    'The asynchronous endpoint reported a failure.',
  );
}
