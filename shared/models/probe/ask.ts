import { newJobId } from '#shared/determinism/ids.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { isError } from '#shared/task/errors.ts';
import { redactText } from '#shared/task/redact.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { openBudget } from '../budget.ts';
import type { InferContext } from '../context.ts';
import { inferStream, releaseJob, type Inference } from '../door.ts';
import type {
  InferEvent,
  InferRequest,
  InferResult,
  InferTrace,
  ModelEntry,
  ProviderError,
  Registry,
} from '../types.ts';
import { probeRoleOf } from './roles.ts';
import { listProbe } from './spend.ts';

/** What testing a model may use at most. */
const CAPS = { calls: 40, seconds: 1800 };

/** Time beside the model's own for one question: a model that stays throttled is not waited for. */
const SPARE_MS = 5000;

/** An answer and what streamed of it. */
export interface Asked extends Pick<Inference, 'trace'> {
  result: Pick<InferResult, 'status' | 'finish' | 'text' | 'output' | 'toolCalls' | 'repairs' | 'tokens'> & {
    error?: Pick<NonNullable<InferResult['error']>, 'code'>;
  };
  textDeltas: number;
  /** Why there is no answer, in our words and the endpoint's. */
  reason?: string;
}

export interface Asker {
  ask(request: Omit<InferRequest, 'model'>, model?: ModelEntry): Promise<Asked>;
  close(): Promise<void>;
}

/** Parameters within what a model can do. */
export function fitting(
  params: InferRequest['params'],
  model: ModelEntry,
): NonNullable<InferRequest['params']> {
  return {
    ...params,
    maxOutputTokens: Math.min(params?.maxOutputTokens ?? model.maxOutputTokens, model.maxOutputTokens),
  };
}

/** Endpoints' words on a terminal: one line, no control characters, no secrets. */
function reasonOf({ message, said }: ProviderError): string {
  const words =
    said &&
    redactText(said)
      .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
      .trim()
      .slice(0, 200);
  return words ? `${message} It said: ${words}` : message;
}

/** A question that was given up, by its last failure. */
const unanswered = (error: ProviderError): Asked => ({
  result: {
    status: 'failed',
    finish: 'error',
    text: '',
    repairs: [],
    tokens: { input: 0, output: 0 },
    error: { code: error.code },
  },
  trace: NOTHING,
  textDeltas: 0,
  reason: reasonOf(error),
});

const NOTHING: InferTrace = {
  attempts: 0,
  cached: false,
  latencyMs: 0,
  queuedMs: 0,
  costMicros: 0,
  savedMicros: 0,
  attemptIds: [],
};

/**
 * Asks one model through the door, past the cache, under a job and a small budget of its own.
 * @throws Cancelled when the signal aborts.
 */
export async function askerOf(runtime: Runtime, model: ModelEntry, signal?: AbortSignal): Promise<Asker> {
  const jobId = newJobId('models', runtime.ids);
  await openBudget(runtime, jobId, CAPS);
  await listProbe(runtime, jobId);
  return {
    async ask(request, other = model) {
      const registry: Registry = { models: new Map([[other.name, other]]), routes: new Map() };
      let last: ProviderError | undefined;
      const ctx: InferContext = {
        jobId,
        workflow: 'models',
        stage: 'probe',
        deadline: runtime.clock.now() + other.timeoutMs + SPARE_MS,
        ...(signal ? { signal } : {}),
        runtime,
        registry,
        roleOf: probeRoleOf,
        rng: seededRng(jobId, request.id),
        kind: 'probe',
        onError: (error) => (last = error),
      };
      let textDeltas = 0;
      let end: (InferEvent & { type: 'end' }) | undefined;
      try {
        for await (const event of inferStream({ ...request, model: other.name, cache: 'off' }, ctx)) {
          if (event.type === 'text') textDeltas++;
          if (event.type === 'end') end = event;
        }
      } catch (error) {
        if (!last || !isError(error, 'DeadlineExceeded')) throw error;
        return unanswered(last);
      }
      const { result, trace } = end!;
      const explained = last && last.code === result.error?.code ? { reason: reasonOf(last) } : {};
      return { result, trace, textDeltas, ...explained };
    },
    close: () => releaseJob(runtime, jobId),
  };
}
