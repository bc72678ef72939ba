import { invalidInput } from '#shared/task/errors.ts';
import { failed } from './unit.ts';
import { requestProblem } from './requests.ts';
import type { Sandbox, SandboxRequest, SandboxResult } from './types.ts';

/** What the sandbox function (functions/sandbox/run.ts) takes and gives. */
export interface RemoteRequest {
  unitId: string;
  requests: SandboxRequest[];
}

export interface RemoteReply {
  results: SandboxResult[];
}

/** A payload of ours stays below Lambda's 6 MB, both ways. */
const BATCH_BYTES = 5 * 1024 * 1024;
/** A result is at most its value, its output and its message, escaped. */
const RESULT_BYTES = 192 * 1024;
/** What one invocation may take, well within the function's 330 s. */
const BATCH_MS = 240_000;

/** Sends one payload; returns the reply's. */
export type Invoke = (payload: Uint8Array, signal: AbortSignal | undefined) => Promise<Uint8Array>;

/** The function's own invocation, by name or ARN. */
async function lambdaInvoke(name: string, region: string | undefined): Promise<Invoke> {
  const { LambdaClient, InvokeCommand } = await import('@aws-sdk/client-lambda');
  const client = new LambdaClient({ ...(region ? { region } : {}), maxAttempts: 6 });
  return async (payload, signal) => {
    const reply = await client.send(new InvokeCommand({ FunctionName: name, Payload: payload }), {
      ...(signal ? { abortSignal: signal } : {}),
    });
    const bytes = reply.Payload ?? new Uint8Array();
    if (reply.FunctionError) {
      throw new Error(`${reply.FunctionError}: ${Buffer.from(bytes).toString('utf8').slice(0, 500)}`);
    }
    return bytes;
  };
}

/**
 * The sandbox as a function on AWS: batches of at most 5 MB, a fresh child an invocation.
 * @throws InvalidInput when `AGENTMILL_SANDBOX_FUNCTION` is not set: the task lacks the capability `sandbox:invoke`.
 */
export function openRemote(env: Readonly<Record<string, string | undefined>>, invoke?: Invoke): Sandbox {
  const name = env['AGENTMILL_SANDBOX_FUNCTION'];
  if (!name && !invoke) {
    throw invalidInput(
      'There is no sandbox here: the setting AGENTMILL_SANDBOX_FUNCTION is empty. Give the task the capability sandbox:invoke.',
    );
  }
  let client: Promise<Invoke> | undefined;
  const send = async (batch: RemoteRequest, signal: AbortSignal | undefined): Promise<SandboxResult[]> => {
    client ??= invoke ? Promise.resolve(invoke) : lambdaInvoke(name!, env['AWS_REGION']);
    const bytes = await (await client)(Buffer.from(JSON.stringify(batch)), signal);
    return (JSON.parse(Buffer.from(bytes).toString('utf8')) as RemoteReply).results;
  };

  return {
    async run(request, { unitId = request.id, signal } = {}) {
      const problem = requestProblem(request);
      if (problem) return failed(request.id, 'InvalidInput', problem);
      const [result] = await send({ unitId, requests: [request] }, signal);
      return result!;
    },

    async *runBatch(requests, { unitId, signal }) {
      for await (const batch of batches(requests)) yield* await send({ unitId, requests: batch }, signal);
    },

    close: () => Promise.resolve(),
  };
}

/** Groups requests so that neither the payload nor the reply nor the worst run time passes its bound. */
export async function* batches(
  requests: Iterable<SandboxRequest> | AsyncIterable<SandboxRequest>,
): AsyncIterable<SandboxRequest[]> {
  let batch: SandboxRequest[] = [];
  let bytes = 0;
  let ms = 0;
  for await (const request of requests) {
    const size = Buffer.byteLength(JSON.stringify(request)) + 1;
    const full =
      bytes + size > BATCH_BYTES ||
      (batch.length + 1) * RESULT_BYTES > BATCH_BYTES ||
      ms + request.timeoutMs > BATCH_MS;
    if (batch.length > 0 && full) {
      yield batch;
      batch = [];
      bytes = 0;
      ms = 0;
    }
    batch.push(request);
    bytes += size;
    ms += request.timeoutMs;
  }
  if (batch.length > 0) yield batch;
}
