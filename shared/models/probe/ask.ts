import { newJobId } from '#shared/determinism/ids.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { openBudget } from '../budget.ts';
import type { InferContext } from '../context.ts';
import { inferStream, releaseJob, type Inference } from '../door.ts';
import type { InferEvent, InferRequest, ModelEntry, Registry } from '../types.ts';
import { probeRoleOf } from './roles.ts';
import { listProbe } from './spend.ts';

/** What testing a model may use at most. */
const CAPS = { calls: 40, seconds: 1800 };

/** An answer and what streamed of it. */
export interface Asked extends Inference {
  textDeltas: number;
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

/** Asks one model through the door, past the cache, under a job and a small budget of its own. */
export async function askerOf(runtime: Runtime, model: ModelEntry): Promise<Asker> {
  const jobId = newJobId('models', runtime.ids);
  await openBudget(runtime, jobId, CAPS);
  await listProbe(runtime, jobId);
  return {
    async ask(request, other = model) {
      const registry: Registry = { models: new Map([[other.name, other]]), routes: new Map() };
      const ctx: InferContext = {
        jobId,
        workflow: 'models',
        stage: 'probe',
        runtime,
        registry,
        roleOf: probeRoleOf,
        rng: seededRng(jobId, request.id),
        kind: 'probe',
      };
      let textDeltas = 0;
      let end: (InferEvent & { type: 'end' }) | undefined;
      for await (const event of inferStream({ ...request, model: other.name, cache: 'off' }, ctx)) {
        if (event.type === 'text') textDeltas++;
        if (event.type === 'end') end = event;
      }
      return { result: end!.result, trace: end!.trace, textDeltas };
    },
    close: () => releaseJob(runtime, jobId),
  };
}
