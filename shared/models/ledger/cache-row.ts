import { isoTime } from '#shared/determinism/clock.ts';
import type { CacheEntry } from '../cache/store.ts';
import type { InferContext } from '../context.ts';
import type { InferRequest, LedgerRow } from '../types.ts';

/** The ledger row of an answer from the cache: it costs nothing and saves what the answer had cost. */
export function cacheRow(
  request: InferRequest,
  ctx: InferContext,
  cacheKey: string,
  { answer, costMicros }: Pick<CacheEntry, 'answer' | 'costMicros'>,
  attemptId: string,
): LedgerRow {
  const now = isoTime(ctx.runtime.clock.now());
  return {
    attemptId,
    jobId: ctx.jobId,
    workflow: ctx.workflow,
    stage: ctx.stage,
    requestId: request.id,
    role: request.role.name,
    roleVersion: request.role.version,
    model: answer.model,
    provider: answer.provider,
    kind: 'cache',
    state: 'settled',
    outcome: 'ok',
    tokensIn: 0,
    tokensCached: 0,
    tokensOut: 0,
    tokensReasoning: 0,
    estimated: false,
    billed: 'no',
    reservedMicros: 0,
    costMicros: 0,
    savedMicros: costMicros,
    priceVersion: '',
    leaseId: '',
    attempt: 0,
    latencyMs: 0,
    queuedMs: 0,
    startedAt: now,
    endedAt: now,
    cacheKey,
  };
}
