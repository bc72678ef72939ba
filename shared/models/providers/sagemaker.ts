import {
  InvokeEndpointCommand,
  InvokeEndpointWithResponseStreamCommand,
  type ResponseStream,
} from '@aws-sdk/client-sagemaker-runtime';
import { codecOf } from '../codecs/index.ts';
import type { ModelEntry, Provider, ProviderCall, ProviderDelta } from '../types.ts';
import { startAttempt, untilDone, type Attempt } from './attempt.ts';
import { MAX_REALTIME_BODY_BYTES, MAX_STREAM_MS } from './aws-limits.ts';
import type { ProviderEnv } from './env.ts';
import { badResponse, unsent } from './errors.ts';
import { asProviderError, attributesOf, bodyOf, sagemakerClient } from './sagemaker-client.ts';

/** Real-time endpoints: InvokeEndpoint and InvokeEndpointWithResponseStream (model-inference section 4). */
export function sagemakerProvider(model: ModelEntry, env: ProviderEnv): Provider {
  const client = sagemakerClient(model, env.runtime);
  const codec = codecOf(model);

  const input = async (call: ProviderCall, stream: boolean) => {
    const Body = await bodyOf(call, env.runtime, stream);
    if (Body.length > MAX_REALTIME_BODY_BYTES) {
      throw unsent(
        'BAD_REQUEST',
        `The body of ${Body.length} bytes exceeds ${MAX_REALTIME_BODY_BYTES}; it was not sent.`,
      );
    }
    const { variant, inferenceComponent } = model.endpoint;
    return {
      EndpointName: model.endpoint.name!,
      Body,
      ContentType: 'application/json',
      Accept: stream ? 'application/x-ndjson, text/event-stream, application/json' : 'application/json',
      ...attributesOf(call),
      ...(variant ? { TargetVariant: variant } : {}),
      ...(inferenceComponent ? { InferenceComponentName: inferenceComponent } : {}),
    };
  };

  return {
    name: 'sagemaker',
    async call(call) {
      const attempt = startAttempt(call);
      try {
        const command = new InvokeEndpointCommand(await input(call, false));
        const output = await client.send(command, { abortSignal: attempt.signal });
        let body: unknown;
        try {
          body = JSON.parse(Buffer.from(output.Body ?? []).toString('utf8'));
        } catch (error) {
          throw badResponse('The answer is not JSON.', error);
        }
        return { ...codec.decode(body), httpStatus: output.$metadata.httpStatusCode ?? 200 };
      } catch (error) {
        throw asProviderError(error, attempt);
      } finally {
        attempt.dispose();
      }
    },
    async *stream(call): AsyncGenerator<ProviderDelta> {
      const attempt = startAttempt({ ...call, timeoutMs: Math.min(call.timeoutMs, MAX_STREAM_MS) });
      let answered = false;
      let midStream = false;
      try {
        const command = new InvokeEndpointWithResponseStreamCommand(await input(call, true));
        const output = await client.send(command, { abortSignal: attempt.signal });
        answered = true;
        const decoder = codec.streamDecoder();
        for await (const event of untilDone(
          untilAborted(output.Body ?? empty(), attempt),
          attempt,
          decoder,
        )) {
          const failure = event.ModelStreamError ?? event.InternalStreamFailure;
          if (failure) throw failure;
          if (!event.PayloadPart?.Bytes) continue;
          for (const delta of decoder.push(event.PayloadPart.Bytes)) {
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
    close: async () => client.destroy(),
  };
}

async function* empty(): AsyncGenerator<ResponseStream> {
  // An answer without a body is a stream that ends at once.
}

/** The SDK stops listening to its abort signal once headers are in; a silent stream must still end in time. */
async function* untilAborted(
  events: AsyncIterable<ResponseStream>,
  attempt: Attempt,
): AsyncGenerator<ResponseStream> {
  const { signal } = attempt;
  const aborted = new Promise<never>((_resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  aborted.catch(() => undefined);
  const iterator = events[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // Not awaited: a silent stream answers `return` only when its socket ends.
    void iterator.return?.()?.then(undefined, () => undefined);
  }
}
