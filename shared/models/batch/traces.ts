import { readJsonl } from '#shared/storage/jsonl.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import type { InferResult, InferTrace, LedgerRow } from '../types.ts';

/**
 * How a batch's results came about. Traces differ from run to run, so they stand in a file beside the results, whose
 * bytes do not (model-inference section 2).
 */

/** A line of a part, which is the batch's own: the result with its trace. */
export type PartLine = InferResult & { trace?: InferTrace };

/** A line of `traces.jsonl`; `id` is the request's. */
export type TraceLine = { id: string } & InferTrace;

export const tracesKey = (prefix: string): string => `${prefix}/traces.jsonl`;

/** The traces of a batch by request id; those it has, which may be none. */
export async function readTraces(artifacts: Artifacts, prefix: string): Promise<Map<string, InferTrace>> {
  const traces = new Map<string, InferTrace>();
  try {
    for await (const { value } of readJsonl(artifacts, tracesKey(prefix))) {
      const { id, ...trace } = value as TraceLine;
      traces.set(id, trace);
    }
  } catch (error) {
    if (!isError(error, 'NotFound')) throw error;
  }
  return traces;
}

/** The trace of a request that was tried again: what both tries took. */
export function joinTraces(first: InferTrace | undefined, second: InferTrace): InferTrace {
  if (!first) return second;
  const firstTokenMs = second.firstTokenMs ?? first.firstTokenMs;
  return {
    attempts: first.attempts + second.attempts,
    cached: second.cached,
    latencyMs: first.latencyMs + second.latencyMs,
    queuedMs: first.queuedMs + second.queuedMs,
    costMicros: first.costMicros + second.costMicros,
    savedMicros: first.savedMicros + second.savedMicros,
    attemptIds: [...first.attemptIds, ...second.attemptIds],
    ...(firstTokenMs === undefined ? {} : { firstTokenMs }),
  };
}

/** The traces that ledger rows tell of, by request id: for calls whose attempts no one process saw all of. */
export function tracesOfRows(rows: Iterable<LedgerRow>): Map<string, InferTrace> {
  const traces = new Map<string, InferTrace>();
  for (const row of rows) {
    const { requestId, latencyMs, queuedMs, costMicros, savedMicros, firstTokenMs } = row;
    const attempt = {
      attempts: row.kind === 'cache' ? 0 : 1,
      cached: row.kind === 'cache',
      latencyMs,
      queuedMs,
      costMicros,
      savedMicros,
      attemptIds: row.kind === 'cache' ? [] : [row.attemptId],
      ...(firstTokenMs === undefined ? {} : { firstTokenMs }),
    };
    traces.set(requestId, joinTraces(traces.get(requestId), attempt));
  }
  return traces;
}
