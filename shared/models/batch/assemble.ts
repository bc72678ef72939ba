import { readJsonl, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import type { Inference } from '../door/infer.ts';
import type { InferResult, InferTrace } from '../types.ts';
import { partKeys, type BatchCounts, type CheckpointState } from './checkpoint.ts';
import { joinTraces, tracesKey, type PartLine, type TraceLine } from './traces.ts';

/** A request without a usable answer, joinable with its source by id. */
export interface InferReject {
  id: string;
  stage: string;
  status: 'rejected' | 'failed';
  code: string;
  message: string;
  retryable: boolean;
  role: InferResult['role'];
  model: string;
  cacheKey: string;
  meta?: InferResult['meta'];
  /** The model's words, where it answered. */
  evidence?: NonNullable<InferResult['error']>['raw'];
}

/** The stored results in order, line numbers from 0. */
async function* stored(
  artifacts: Artifacts,
  prefix: string,
  state: CheckpointState,
): AsyncGenerator<{ index: number; result: InferResult; trace: InferTrace | undefined }> {
  let index = 0;
  for (const key of partKeys(prefix, state.parts)) {
    for await (const { value } of readJsonl(artifacts, key)) {
      const { trace, ...result } = value as PartLine;
      yield { index: index++, result, trace };
    }
  }
}

/** The lines whose failure another try may mend. */
export async function retryable(
  artifacts: Artifacts,
  prefix: string,
  state: CheckpointState,
): Promise<Set<number>> {
  const lines = new Set<number>();
  if (state.counts.failed === 0) return lines;
  for await (const { index, result } of stored(artifacts, prefix, state)) {
    if (result.status === 'failed' && result.error?.retryable) lines.add(index);
  }
  return lines;
}

/**
 * Joins the parts, with the later tries in their lines, to `results.jsonl`, lists what is not `ok` in `rejects.jsonl`,
 * and how each came about in `traces.jsonl`.
 */
export async function assemble(
  artifacts: Artifacts,
  prefix: string,
  state: CheckpointState,
  retried: ReadonlyMap<number, Inference>,
  stage: string,
): Promise<{ results: ArtifactRef; rejects: ArtifactRef; counts: BatchCounts }> {
  const counts: BatchCounts = { total: 0, ok: 0, rejected: 0, failed: 0, cached: state.counts.cached };
  async function* merged(): AsyncGenerator<InferResult> {
    for await (const { index, result } of stored(artifacts, prefix, state))
      yield retried.get(index)?.result ?? result;
  }
  async function* all(): AsyncGenerator<InferResult> {
    for await (const result of merged()) {
      counts.total++;
      counts[result.status]++;
      yield result;
    }
  }
  async function* bad(): AsyncGenerator<InferReject> {
    if (counts.ok === counts.total) return;
    for await (const result of merged()) if (result.status !== 'ok') yield rejectOf(result, stage);
  }
  async function* traces(): AsyncGenerator<TraceLine> {
    for await (const { index, result, trace } of stored(artifacts, prefix, state)) {
      const again = retried.get(index);
      const whole = again ? joinTraces(trace, again.trace) : trace;
      if (whole) yield { id: result.id, ...whole };
    }
  }
  const options = { tags: { keep: 'work' } };
  const results = await writeJsonl(artifacts, `${prefix}/results.jsonl`, all(), options);
  const rejects = await writeJsonl(artifacts, `${prefix}/rejects.jsonl`, bad(), options);
  await writeJsonl(artifacts, tracesKey(prefix), traces(), options);
  return { results, rejects, counts };
}

/** The reject record of a result that is not `ok`. */
export function rejectOf(result: InferResult, stage: string): InferReject {
  const error = result.error;
  return {
    id: result.id,
    stage,
    status: result.status as InferReject['status'],
    code: error?.code ?? 'DEFECT',
    message: error?.message ?? '',
    retryable: error?.retryable ?? false,
    role: result.role,
    model: result.model,
    cacheKey: result.cacheKey,
    ...(result.meta ? { meta: result.meta } : {}),
    ...(error?.raw === undefined ? {} : { evidence: error.raw }),
  };
}
