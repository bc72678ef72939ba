import type { Json, RecordItem, RecordPut } from '#shared/storage/ports.ts';
import type { LedgerRow } from '../types.ts';

/**
 * Where ledger rows live: sixteen shards a job, chosen by the lease, so that one process writes batches to one
 * partition and the rows of a lapsed lease are one query.
 */
export const LEDGER_SHARDS = [...'0123456789abcdef'];

/** Rows without a lease (cache hits) stand under this name. */
export const NO_LEASE = '-';

export const ledgerPk = (jobId: string, shard: string): string => `LEDGER#${jobId}#${shard}`;

/** The shard of a lease: the last hex digit of its id. */
export const shardOf = (leaseId: string): string => leaseId.at(-1)!;

/** The record of a row. @param shard for rows without a lease. */
export function rowRecord(row: LedgerRow, shard: string): RecordPut {
  return {
    pk: ledgerPk(row.jobId, row.leaseId ? shardOf(row.leaseId) : shard),
    // In the order of time: rows that are written together stand together, which costs the store fewer pages.
    sk: `${row.leaseId || NO_LEASE}#${row.startedAt}#${row.attemptId}`,
    attributes: row as unknown as Record<string, Json>,
  };
}

/** What every row says that is written before its request leaves: nothing is used yet, nobody knows what is billed. */
export const OPEN = {
  state: 'open',
  tokensIn: 0,
  tokensCached: 0,
  tokensOut: 0,
  tokensReasoning: 0,
  estimated: false,
  billed: 'unknown',
  costMicros: 0,
  savedMicros: 0,
  latencyMs: 0,
} as const satisfies Partial<LedgerRow>;

export const rowOf = (item: RecordItem): LedgerRow => item.attributes as unknown as LedgerRow;

/** Under which those settle a row who did not write it. */
export const IF_OPEN = { condition: { attribute: 'state', op: '=', value: 'open' } } as const;

/** What a row adds to the job's totals. */
export const usesOf = (row: LedgerRow): { micros: number; tokens: number; calls: number } => ({
  micros: row.costMicros,
  tokens: row.tokensIn + row.tokensOut,
  calls: row.kind === 'cache' ? 0 : 1,
});

/**
 * An open row whose owner is gone: nobody knows whether it was answered. Models that bill by token may charge for it,
 * so the whole reservation counts; the others charge nothing.
 */
export function lapsedRow(row: LedgerRow, billing: 'token' | 'hour' | 'free', endedAt: string): LedgerRow {
  return {
    ...row,
    state: 'settled',
    outcome: 'lapsed',
    billed: 'unknown',
    costMicros: billing === 'token' ? row.reservedMicros : 0,
    endedAt,
  };
}
