import type { Clock } from '#shared/determinism/clock.ts';
import type { Json } from '#shared/storage/ports.ts';
import { sdkMetadata } from '../engine/sdk-metadata.ts';
import { FunctionNotFound, serviceError, signed } from './errors.ts';

/** What a function is told beside its event. */
export interface InvocationContext {
  executionArn: string;
  stateName: string;
  /** Retries before this attempt. */
  attempt: number;
  /** Present where the task waits for one. */
  taskToken?: string;
}

export interface InvokeOptions {
  signal: AbortSignal;
  timeoutMs?: number;
  context: InvocationContext;
}

/**
 * Calls a function by the text the definition names it with. Rejects with the function's error (`name`, `message`),
 * or with `FunctionNotFound`.
 */
export type Invoke = (functionName: string, event: Json, options: InvokeOptions) => Promise<Json>;

/** `lambda:invoke`: the function's value within what the service adds. */
export async function invokeLambda(
  args: { [key: string]: Json },
  invoke: Invoke,
  options: InvokeOptions,
  requestId: string,
  clock: Clock,
): Promise<Json> {
  const payload = await call(String(args['FunctionName']), args['Payload'] ?? {}, invoke, options, requestId);
  const { SdkHttpMetadata, SdkResponseMetadata } = sdkMetadata(requestId, JSON.stringify(payload), {
    Date: new Date(clock.now()).toUTCString(),
    'X-Amz-Executed-Version': '$LATEST',
    'x-amzn-Remapped-Content-Length': '0',
    'X-Amzn-Trace-Id': `root=1-${requestId.slice(0, 8)}-${requestId.replaceAll('-', '').slice(8)};sampled=0`,
  });
  return {
    ExecutedVersion: '$LATEST',
    Payload: payload,
    SdkHttpMetadata: SdkHttpMetadata!,
    SdkResponseMetadata: SdkResponseMetadata!,
    StatusCode: 200,
  };
}

/** A function ARN as resource: the function's value alone. */
export function callFunction(
  arn: string,
  event: Json,
  invoke: Invoke,
  options: InvokeOptions,
  requestId: string,
): Promise<Json> {
  return call(arn, event, invoke, options, requestId);
}

async function call(
  name: string,
  event: Json,
  invoke: Invoke,
  options: InvokeOptions,
  requestId: string,
): Promise<Json> {
  let value: unknown;
  try {
    value = await invoke(name, event, options);
  } catch (error) {
    if (
      error instanceof FunctionNotFound ||
      (error as Error | undefined)?.name === 'Lambda.ResourceNotFoundException'
    ) {
      const cause = `${(error as Error).message} ${signed('Lambda', 404, requestId)}`;
      throw serviceError('Lambda.ResourceNotFoundException', cause);
    }
    throw error;
  }
  return value === undefined ? null : (value as Json);
}
