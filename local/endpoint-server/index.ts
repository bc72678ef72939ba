import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { acceptAsync, type AsyncStore } from './async-invocations.ts';
import { type Backend, output } from './backend.ts';
import { EVENT_STREAM_TYPE, exceptionFrame, payloadPart } from './event-stream.ts';
import { type EndpointFaults, type Fault, FaultPlan } from './faults.ts';
import {
  internalFailure,
  modelError,
  ProtocolError,
  sendError,
  throttled,
  validationError,
} from './protocol-errors.ts';

export type { AsyncStore } from './async-invocations.ts';
export type { Backend, BackendReply, BackendRequest } from './backend.ts';
export type { EndpointFaults } from './faults.ts';
export { ProtocolError } from './protocol-errors.ts';

export interface EndpointServerOptions {
  backend: Backend;
  /** Known endpoints and their faults; any other name is refused. */
  endpoints: Record<string, { faults?: EndpointFaults }>;
  /** 0 (default) chooses one; always bound to 127.0.0.1. */
  port?: number;
  /** Without it, asynchronous invocations are refused. */
  async?: AsyncStore;
  /** Default 60,000, a real-time call's limit. */
  timeoutMs?: number;
  onError?: (error: unknown) => void;
}

export interface EndpointServer {
  /** For the SDK's `endpoint`, or AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME. */
  url: string;
  /** Calls so far, by endpoint. */
  calls(): Record<string, number>;
  /** Waits for asynchronous invocations under way. */
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 25 * 1024 * 1024;
const TIMEOUT_MS = 60_000;
const PATH =
  /^\/endpoints\/([A-Za-z0-9](?:-*[A-Za-z0-9]){0,62})\/(invocations|invocations-response-stream|async-invocations)$/;

/** SageMaker Runtime's protocol in front of any model (embedded-platform section 11). */
export async function startEndpointServer(options: EndpointServerOptions): Promise<EndpointServer> {
  const { backend, timeoutMs = TIMEOUT_MS } = options;
  const plans = new Map(
    Object.entries(options.endpoints).map(([name, { faults }]) => [name, new FaultPlan(name, faults)]),
  );
  const calls: Record<string, number> = {};
  const background = new Set<Promise<void>>();

  interface Call {
    endpoint: string;
    plan: FaultPlan;
    body: Buffer;
    contentType: string;
    accept: string;
    signal: AbortSignal;
  }

  /** Applies the call's fault before the model is asked; a spoilt answer is left to the caller. */
  async function strike(call: Call): Promise<Fault | undefined> {
    if (call.plan.latencyMs > 0) await pause(call.plan.latencyMs, call.signal);
    const fault = call.plan.next();
    if (fault === 'throttle') throw throttled();
    if (fault === 'model') throw modelError(call.endpoint, 500, 'An injected fault.');
    if (fault === 'hang') await pause(2 ** 30, call.signal);
    return fault;
  }

  async function whole(call: Call): Promise<{ body: Uint8Array; contentType: string }> {
    const fault = await strike(call);
    const { contentType, chunks } = await output(backend, call.endpoint, call.body, {
      ...call,
      stream: false,
    });
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    const body = Buffer.concat(parts);
    return { body: fault === 'garbage' ? call.plan.spoil(body) : body, contentType };
  }

  async function invocation(call: Call, response: ServerResponse): Promise<void> {
    const { body, contentType } = await inTime(whole(call), call);
    response.writeHead(200, {
      'content-type': contentType,
      'x-amzn-invoked-production-variant': 'AllTraffic',
    });
    response.end(body);
  }

  async function streamed(call: Call, response: ServerResponse): Promise<void> {
    const opened = (async () => {
      const fault = await strike(call);
      return { fault, ...(await output(backend, call.endpoint, call.body, { ...call, stream: true })) };
    })();
    const { fault, contentType, chunks } = await inTime(opened, call);
    response.writeHead(200, {
      'content-type': EVENT_STREAM_TYPE,
      'x-amzn-sagemaker-content-type': contentType,
      'x-amzn-invoked-production-variant': 'AllTraffic',
    });
    try {
      for await (const chunk of chunks) {
        if (fault === 'garbage') {
          response.write(payloadPart(chunk.subarray(0, Math.ceil(chunk.length / 2))));
          break;
        }
        if (!response.write(payloadPart(chunk))) await drained(response, call.signal);
      }
    } catch (error) {
      const text = (error as Error).message;
      const frame = call.signal.aborted
        ? exceptionFrame('InternalStreamFailure', { Message: 'The call took too long.' })
        : exceptionFrame('ModelStreamError', { Message: text, ErrorCode: 'StreamBroken' });
      response.write(frame);
    }
    response.end();
  }

  function accepted(call: Call, request: IncomingMessage, response: ServerResponse): void {
    if (!options.async) throw validationError(`Endpoint ${call.endpoint} takes no asynchronous invocations.`);
    const header = (name: string): string | undefined =>
      request.headers[`x-amzn-sagemaker-${name}`] as string | undefined;
    // The answer is sent at once, so the client's leaving ends nothing.
    const signal = AbortSignal.timeout(3_600_000);
    const invocation = acceptAsync(
      {
        endpoint: call.endpoint,
        inputLocation: header('inputlocation'),
        body: call.body,
        inferenceId: header('inference-id'),
        contentType: header('content-type') ?? 'application/json',
        pathExtension: header('s3outputpathextension'),
        filename: header('filename'),
      },
      options.async,
      (body) => whole({ ...call, body: Buffer.from(body), signal }),
    );
    const done = invocation.done.catch((error: unknown) => options.onError?.(error));
    background.add(done);
    void done.finally(() => background.delete(done));
    response.writeHead(202, {
      'content-type': 'application/json',
      'x-amzn-sagemaker-outputlocation': invocation.outputLocation,
      'x-amzn-sagemaker-failurelocation': invocation.failureLocation,
    });
    response.end(JSON.stringify({ InferenceId: invocation.inferenceId }));
  }

  /** Fails a call that the model does not answer within the limit, whether or not it heeds the signal. */
  async function inTime<T>(work: Promise<T>, call: Call): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const late = (): void =>
      reject(
        modelError(
          call.endpoint,
          0,
          'Your invocation timed out while waiting for a response from container primary.',
        ),
      );
    call.signal.addEventListener('abort', late, { once: true });
    work.catch(() => {});
    try {
      return await Promise.race([work, promise]);
    } finally {
      call.signal.removeEventListener('abort', late);
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path] = (request.url ?? '').split('?');
    const [, endpoint, operation] = PATH.exec(path ?? '') ?? [];
    if (request.method !== 'POST' || !endpoint)
      throw new ProtocolError(404, 'UnknownOperationException', 'There is no such operation.');
    const plan = plans.get(endpoint);
    if (!plan) throw validationError(`Endpoint ${endpoint} of account 000000000000 not found.`);
    calls[endpoint] = (calls[endpoint] ?? 0) + 1;
    const left = new AbortController();
    response.once('close', () => left.abort(new Error('The client left.')));
    const call: Call = {
      endpoint,
      plan,
      body: await bodyOf(request),
      contentType: request.headers['content-type'] ?? 'application/json',
      accept: request.headers.accept ?? 'application/json',
      signal: AbortSignal.any([left.signal, AbortSignal.timeout(timeoutMs)]),
    };
    if (operation === 'invocations') await invocation(call, response);
    else if (operation === 'async-invocations') accepted(call, request, response);
    else await streamed(call, response);
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (!(error instanceof ProtocolError)) options.onError?.(error);
      sendError(response, error instanceof ProtocolError ? error : internalFailure((error as Error).message));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: () => ({ ...calls }),
    async close() {
      await Promise.all(background);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** @throws ProtocolError ValidationError over 25 MB. */
async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (bytes > MAX_BODY_BYTES)
    throw validationError(`The body has ${bytes} bytes, the limit is ${MAX_BODY_BYTES}.`);
  return Buffer.concat(chunks);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), reject(signal.reason as Error)), {
      once: true,
    });
  });
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    response.once('drain', resolve);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
