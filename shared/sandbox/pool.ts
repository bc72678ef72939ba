import { availableParallelism } from 'node:os';
import { requestProblem } from './requests.ts';
import { Slots } from './slots.ts';
import type { Sandbox, SandboxRequest, SandboxResult } from './types.ts';
import { failed, Unit } from './unit.ts';

/** Requests taken from a batch beyond those whose results were read. */
const WINDOW = 512;

/** The sandbox as child processes of this one. */
export function openPool(
  env: Readonly<Record<string, string | undefined>>,
  options: { workers?: number } = {},
): Sandbox {
  const workers = options.workers ?? availableParallelism();
  const slots = new Slots(workers);
  const units = new Map<string, Unit>();
  let anonymous = 0;

  const unitOf = (id: string): Unit => {
    for (const [other, unit] of units) if (other !== id && unit.empty) units.delete(other);
    let unit = units.get(id);
    if (!unit) units.set(id, (unit = new Unit(slots, env)));
    return unit;
  };

  const submit = async (
    unit: Unit,
    request: SandboxRequest,
    lanes: number,
    signal: AbortSignal | undefined,
  ): Promise<SandboxResult> => {
    const problem = requestProblem(request);
    return problem ? failed(request.id, 'InvalidInput', problem) : unit.submit(request, lanes, signal);
  };

  return {
    async run(request, { unitId, signal } = {}) {
      if (unitId !== undefined) return submit(unitOf(`unit ${unitId}`), request, 1, signal);
      const id = `run ${++anonymous}`;
      const unit = unitOf(id);
      try {
        return await submit(unit, request, 1, signal);
      } finally {
        units.delete(id);
        await unit.close();
      }
    },

    async *runBatch(requests, { unitId, workers: lanes = workers, signal }) {
      const unit = unitOf(`unit ${unitId}`);
      const window: Promise<SandboxResult>[] = [];
      try {
        for await (const request of requests) {
          const result = submit(unit, request, Math.min(lanes, workers), signal);
          // Whoever reads the batch sees it in its turn; until then it is not unhandled.
          result.catch(() => undefined);
          window.push(result);
          if (window.length >= WINDOW) yield await window.shift()!;
        }
        while (window.length > 0) yield await window.shift()!;
      } finally {
        await Promise.allSettled(window);
      }
    },

    async close() {
      await Promise.all([...units.values()].map((unit) => unit.close()));
      units.clear();
    },
  };
}
