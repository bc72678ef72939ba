import type { LedgerRow } from '../types.ts';
import type { MetricName } from './metrics.ts';

/** What a settled attempt adds to the metrics, whatever kind of endpoint it was made at (model-inference section 12). */
export function countsOf(row: LedgerRow): Partial<Record<MetricName, number | undefined>> {
  return {
    Calls: 1,
    LatencyMs: row.latencyMs,
    QueueMs: row.queuedMs,
    TokensIn: row.tokensIn,
    TokensOut: row.tokensOut,
    CostMicros: row.costMicros,
    FirstTokenMs: row.firstTokenMs,
    Retries: row.attempt > 1 ? 1 : undefined,
    Errors: row.outcome === 'error' ? 1 : undefined,
    Rejects: row.outcome === 'rejected' ? 1 : undefined,
    Throttles: row.outcome === 'error' && row.errorCode === 'THROTTLED' ? 1 : undefined,
  };
}
