import type { Ids } from '#shared/determinism/ids.ts';
import type { Clock } from '#shared/determinism/clock.ts';
import { isoTime } from '#shared/determinism/clock.ts';
import type { Artifacts, Queue } from '#shared/storage/ports.ts';
import { ProtocolError, validationError } from './protocol-errors.ts';

/** Where asynchronous invocations read and write. */
export interface AsyncStore {
  bucket(name: string): Artifacts;
  /** Takes completion messages, as SageMaker's SNS topics deliver them (raw). */
  completions: Queue;
  /** Where outputs and failures go unless the request's extension says otherwise. */
  outputBucket: string;
  clock: Clock;
  ids: Ids;
}

export interface AsyncRequest {
  endpoint: string;
  /** Where the input is, unless it came inline. */
  inputLocation: string | undefined;
  /** The request's own body: the inline input, empty beside an input location. */
  body: Uint8Array;
  inferenceId: string | undefined;
  contentType: string;
  /** `X-Amzn-SageMaker-S3OutputPathExtension` and `-Filename`. */
  pathExtension: string | undefined;
  filename: string | undefined;
}

export interface AcceptedInvocation {
  inferenceId: string;
  outputLocation: string;
  failureLocation: string;
  /** Settles when result and completion message are written. */
  done: Promise<void>;
}

const LOCATION = /^s3:\/\/([^/]+)\/(.+)$/;
/** SageMaker's limit of an inline input. */
const MAX_INLINE_BYTES = 128_000;

/** What reads the input. @throws ProtocolError ValidationError for neither or both, a malformed location, a large body. */
function inputOf(
  { inputLocation, body }: AsyncRequest,
  bucket: AsyncStore['bucket'],
): () => Promise<Uint8Array> {
  if (inputLocation === undefined) {
    if (body.length === 0) throw validationError('Give InputLocation or a body.');
    if (body.length > MAX_INLINE_BYTES)
      throw validationError(`The body has ${body.length} bytes, the limit is ${MAX_INLINE_BYTES}.`);
    return async () => body;
  }
  if (body.length > 0) throw validationError('Give InputLocation or a body, not both.');
  const [, name, key] = LOCATION.exec(inputLocation) ?? [];
  if (!name || !key) throw validationError('InputLocation must be s3://bucket/key.');
  return async () => {
    const input = await bucket(name).get(key);
    const chunks: Uint8Array[] = [];
    for await (const chunk of input.body) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
}

/**
 * Accepts an asynchronous invocation and runs it in the background: input from artifacts or inline, output or failure
 * to artifacts, then a completion message.
 * @throws ProtocolError ValidationError where the input is not one location or one body.
 */
export function acceptAsync(
  request: AsyncRequest,
  store: AsyncStore,
  invoke: (body: Uint8Array) => Promise<{ body: Uint8Array; contentType: string }>,
): AcceptedInvocation {
  const input = inputOf(request, (name) => store.bucket(name));
  const inferenceId = request.inferenceId ?? store.ids.uuid();
  const name = [request.pathExtension, request.filename ?? `${store.ids.uuid()}.out`]
    .filter(Boolean)
    .join('/');
  const outputKey = `async/out/${name}`;
  const failureKey = `async/fail/${name}`;
  const locationOf = (key: string): string => `s3://${store.outputBucket}/${key}`;
  const received = isoTime(store.clock.now());

  const run = async (): Promise<void> => {
    const outputs = store.bucket(store.outputBucket);
    let outcome: Record<string, unknown>;
    try {
      const { body, contentType } = await invoke(await input());
      await outputs.put(outputKey, body, { contentType });
      outcome = {
        invocationStatus: 'Completed',
        responseParameters: { contentType, outputLocation: locationOf(outputKey) },
      };
    } catch (error) {
      const text = (error as Error).message;
      const members = error instanceof ProtocolError ? error.members : {};
      await outputs.put(failureKey, JSON.stringify({ Message: text, ...members }), {
        contentType: 'application/json',
      });
      outcome = {
        invocationStatus: 'Failed',
        failureReason: text,
        responseParameters: { contentType: 'application/json', failureLocation: locationOf(failureKey) },
      };
    }
    const message = {
      awsRegion: 'us-east-1',
      eventTime: isoTime(store.clock.now()),
      receivedTime: received,
      ...outcome,
      requestParameters: {
        endpointName: request.endpoint,
        ...(request.inputLocation === undefined ? {} : { inputLocation: request.inputLocation }),
        contentType: request.contentType,
      },
      inferenceId,
      eventVersion: '1.0',
      eventSource: 'aws:sagemaker',
      eventName: 'InferenceResult',
    };
    await store.completions.send([{ body: JSON.stringify(message) }]);
  };
  return {
    inferenceId,
    outputLocation: locationOf(outputKey),
    failureLocation: locationOf(failureKey),
    done: run(),
  };
}
