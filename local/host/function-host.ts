import { randomIds } from '#shared/determinism/ids.ts';
import type { Json } from '#shared/storage/ports.ts';
import { type Runtime, withRuntime } from '#shared/task/runtime.ts';
import { contained, installContainment } from './containment.ts';
import { FunctionError, thrownError } from './errors.ts';
import { functionArn, functionCandidates } from './function-names.ts';
import type { Handler } from './modules.ts';
import { STATE_PAYLOAD_BYTES, throughJson } from './payload.ts';
import { Slots } from './slots.ts';

/** A function the host can run. */
export interface HostedFunction {
  /** Loads the handler; called once, at the first invocation. */
  load(): Promise<Handler>;
  /** Default 900, Lambda's limit. */
  timeoutSeconds?: number;
  /** A note only: tasks share the process. */
  memoryMb?: number;
  /** Default 1,000. */
  maxConcurrency?: number;
  /** The ports its handler finds in `currentRuntime()`. */
  runtime?: Runtime;
}

export interface InvokeOptions {
  /** Aborts the invocation: it fails with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Shortens the function's own time-out. */
  timeoutMs?: number | undefined;
  /** More members for the context object. */
  context?: Record<string, unknown> | undefined;
  /** Limit of event and result. Default 256 KiB, the engine's; `INVOKE_PAYLOAD_BYTES` for other callers. */
  maxPayloadBytes?: number | undefined;
}

export interface HostStats {
  invocations: number;
  failures: number;
  /** First invocations of a function, which import its module. */
  coldStarts: number;
  /** Milliseconds spent importing, by function. */
  importMs: Record<string, number>;
}

/** What a handler is given beside its event: Lambda's context, and a signal for its stop. */
export interface FunctionContext {
  awsRequestId: string;
  functionName: string;
  functionVersion: string;
  invokedFunctionArn: string;
  memoryLimitInMB: string;
  getRemainingTimeInMillis(): number;
  signal: AbortSignal;
  callbackWaitsForEmptyEventLoop: boolean;
}

export interface FunctionHost {
  /**
   * Runs a function, named by name or ARN, and returns its result through JSON.
   * @throws what it threw, name and message kept; `Lambda.ResourceNotFoundException`; `Sandbox.Timedout`;
   *   `States.DataLimitExceeded`; `Runtime.…` for stray errors (docs/gateway-and-endpoints.md).
   */
  invoke(functionName: string, event: unknown, options?: InvokeOptions): Promise<Json>;
  has(functionName: string): boolean;
  stats(): HostStats;
  /** Aborts what runs, waits until it has stopped (10 s at most), and stops containing stray errors. */
  close(): Promise<void>;
}

export interface FunctionHostOptions {
  functions: Record<string, HostedFunction>;
  /** Milliseconds a stopped function may take to settle before its place is given away. Default 10,000. */
  graceMs?: number;
  /** Told of stray errors that came after their invocation had ended. */
  onLateError?: (functionName: string, error: Error) => void;
}

const DEFAULT_TIMEOUT_SECONDS = 900;
const DEFAULT_CONCURRENCY = 1000;
const GRACE_MS = 10_000;

/**
 * Runs functions in this process as Lambda would in theirs (embedded-platform section 10): a context, a time-out,
 * payload limits, concurrency caps, and containment of what they let slip. Time-outs run on real time.
 */
export function createFunctionHost(options: FunctionHostOptions): FunctionHost {
  const { functions, graceMs = GRACE_MS } = options;
  const uninstall = installContainment();
  const stats: HostStats = { invocations: 0, failures: 0, coldStarts: 0, importMs: {} };
  const handlers = new Map<string, Promise<Handler>>();
  const slots = new Map<string, Slots>();
  const running = new Set<{ stop(): void; settled: Promise<void> }>();
  const closing = new AbortController();

  const nameOf = (text: string): string | undefined =>
    functionCandidates(text).find((name) => Object.hasOwn(functions, name));

  async function handlerOf(name: string): Promise<Handler> {
    const known = handlers.get(name);
    if (known) return known;
    stats.coldStarts++;
    const began = performance.now();
    const loading = functions[name]!.load().finally(() => {
      stats.importMs[name] = performance.now() - began;
    });
    handlers.set(name, loading);
    // A failed import is tried again at the next invocation, as a new sandbox would.
    loading.catch(() => handlers.delete(name));
    return loading;
  }

  /** One run of a handler. Settles with the result, or as soon as the invocation has failed. */
  async function run(
    name: string,
    handler: Handler,
    event: Json,
    invocation: InvokeOptions,
  ): Promise<unknown> {
    const { timeoutSeconds = DEFAULT_TIMEOUT_SECONDS, memoryMb = 512, runtime } = functions[name]!;
    const timeoutMs = Math.min(timeoutSeconds * 1000, invocation.timeoutMs ?? Infinity);
    const release = await placesOf(name).take(invocation.signal);
    const stop = new AbortController();
    const requestId = randomIds.uuid();
    const deadline = performance.now() + timeoutMs;
    const failed = Promise.withResolvers<never>();
    let over = false;
    const fail = (error: Error): void => {
      if (over) return options.onLateError?.(name, error);
      over = true;
      failed.reject(error);
      stop.abort(error);
    };
    const timer = setTimeout(() => {
      const seconds = (timeoutMs / 1000).toFixed(2);
      fail(
        new FunctionError(
          'Sandbox.Timedout',
          `RequestId: ${requestId} Error: Task timed out after ${seconds} seconds`,
        ),
      );
    }, timeoutMs);
    const abort = (): void => fail(thrownError(invocation.signal!.reason));
    invocation.signal?.addEventListener('abort', abort, { once: true });

    const context: FunctionContext & Record<string, unknown> = {
      awsRequestId: requestId,
      functionName: name,
      functionVersion: '$LATEST',
      invokedFunctionArn: functionArn(name),
      memoryLimitInMB: String(memoryMb),
      getRemainingTimeInMillis: () => Math.max(0, Math.round(deadline - performance.now())),
      signal: stop.signal,
      callbackWaitsForEmptyEventLoop: false,
      ...invocation.context,
    };
    const body = async (): Promise<unknown> => handler(event as never, context as never);
    const work = contained({ fail }, () => (runtime ? withRuntime(runtime, body) : body()));

    const settled = Promise.withResolvers<void>();
    const entry = {
      stop: () => fail(new FunctionError('Runtime.Stopped', 'The task host is closing.')),
      settled: settled.promise,
    };
    running.add(entry);
    const leave = (): void => {
      running.delete(entry);
      release();
      settled.resolve();
    };
    work.then(leave, leave);
    try {
      return await Promise.race([work, failed.promise]);
    } catch (error) {
      // A stopped function keeps its place until it settles, but not for ever.
      setTimeout(leave, graceMs).unref();
      throw thrownError(error);
    } finally {
      over = true;
      clearTimeout(timer);
      invocation.signal?.removeEventListener('abort', abort);
    }
  }

  function placesOf(name: string): Slots {
    const known = slots.get(name) ?? new Slots(functions[name]!.maxConcurrency ?? DEFAULT_CONCURRENCY);
    slots.set(name, known);
    return known;
  }

  return {
    async invoke(functionName, event, invocation = {}) {
      stats.invocations++;
      try {
        if (closing.signal.aborted) throw new FunctionError('Runtime.Stopped', 'The task host is closed.');
        const name = nameOf(functionName);
        if (name === undefined) {
          const arn = functionName.startsWith('arn:') ? functionName : functionArn(functionName);
          throw new FunctionError('Lambda.ResourceNotFoundException', `Function not found: ${arn}`);
        }
        const maxBytes = invocation.maxPayloadBytes ?? STATE_PAYLOAD_BYTES;
        const input = throughJson(event, 'event', maxBytes);
        const result = await run(name, await handlerOf(name), input, invocation);
        return throughJson(result, 'result', maxBytes);
      } catch (error) {
        stats.failures++;
        throw error;
      }
    },
    has: (functionName) => nameOf(functionName) !== undefined,
    stats: () => ({ ...stats, importMs: { ...stats.importMs } }),
    async close() {
      closing.abort();
      for (const entry of running) entry.stop();
      await Promise.all([...running].map(({ settled }) => settled));
      uninstall();
    },
  };
}
