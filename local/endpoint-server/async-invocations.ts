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
  inputLocation: string;
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

/**
 * Accepts an asynchronous invocation and runs it in the background: input from artifacts, output or failure to
 * artifacts, then a completion message.
 * @throws ProtocolError ValidationError for a malformed location.
 */
export function acceptAsync(
  request: AsyncRequest,
  store: AsyncStore,
  invoke: (body: Uint8Array) => Promise<{ body: Uint8Array; contentType: string }>,
): AcceptedInvocation {
  const [, inputBucket, inputKey] = LOCATION.exec(request.inputLocation) ?? [];
  if (!inputBucket || !inputKey) throw validationError('InputLocation must be s3://bucket/key.');
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
      const input = await store.bucket(inputBucket).get(inputKey);
      const chunks: Uint8Array[] = [];
      for await (const chunk of input.body) chunks.push(chunk);
      const { body, contentType } = await invoke(Buffer.concat(chunks));
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
        inputLocation: request.inputLocation,
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
