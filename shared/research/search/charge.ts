import { isoTime } from '#shared/determinism/clock.ts';
import { amounts } from '#shared/models/budget/item.ts';
import { doorOf } from '#shared/models/door/doors.ts';
import { OPEN, usesOf } from '#shared/models/ledger/row.ts';
import { loadRegistry } from '#shared/models/registry.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import type { Runtime } from '#shared/task/runtime.ts';

/** Requests that cost money without a model: reserved, written to the ledger before they leave, settled after. */

export interface Charge {
  jobId: string;
  workflow: string;
  stage: string;
  /** `tool:search_internet`. */
  role: string;
  /** Who is paid; stands where a model's name would. */
  provider: string;
  requestId: string;
  attempt: number;
  /** Price of the request. */
  microUsd: number;
  cacheKey: string;
}

export interface Charged<T> {
  value: T;
  httpStatus?: number;
  billed: 'yes' | 'no' | 'unknown';
  errorCode?: string;
}

/** Requests of one process that may be under way at once: how large a part of the budget is worth taking. */
const CONCURRENCY = 4;

/**
 * Makes one request under a reservation of its price. What may have been billed is charged: `unknown` counts as `yes`,
 * and a request that throws is one of which nobody knows.
 * @throws BudgetExhausted before anything is sent; StorageUnavailable; what the request throws.
 */
export async function charged<T>(
  runtime: Runtime,
  charge: Charge,
  request: () => Promise<Charged<T>>,
  signal?: AbortSignal,
): Promise<T> {
  const door = doorOf(runtime);
  const purse = door.purse(charge.jobId);
  const reservation = await purse.reserve(amounts(charge.microUsd, 0, 1), {
    concurrency: CONCURRENCY,
    registry: await loadRegistry(runtime),
    ...(signal ? { signal } : {}),
  });
  const started = runtime.clock.now();
  const open: LedgerRow = {
    attemptId: runtime.ids.hex(128),
    jobId: charge.jobId,
    workflow: charge.workflow,
    stage: charge.stage,
    requestId: charge.requestId,
    role: charge.role,
    roleVersion: '1',
    model: charge.provider,
    provider: 'http',
    kind: 'call',
    ...OPEN,
    reservedMicros: charge.microUsd,
    priceVersion: '',
    leaseId: reservation.lease.id,
    attempt: charge.attempt,
    queuedMs: 0,
    startedAt: isoTime(started),
    cacheKey: charge.cacheKey,
  };
  let version: number;
  try {
    version = await door.ledger.write(open);
  } catch (error) {
    purse.settle(reservation, amounts());
    throw error;
  }
  let outcome: Omit<Charged<T>, 'value'>;
  let value: T;
  let failure: { thrown: unknown } | undefined;
  try {
    ({ value, ...outcome } = await request());
  } catch (thrown) {
    failure = { thrown };
    outcome = { billed: 'unknown', errorCode: 'DEFECT' };
  }
  const now = runtime.clock.now();
  const settled: LedgerRow = {
    ...open,
    state: 'settled',
    outcome: outcome.errorCode === undefined ? 'ok' : signal?.aborted && failure ? 'cancelled' : 'error',
    ...(outcome.errorCode === undefined ? {} : { errorCode: outcome.errorCode }),
    ...(outcome.httpStatus === undefined ? {} : { httpStatus: outcome.httpStatus }),
    billed: outcome.billed,
    costMicros: outcome.billed === 'no' ? 0 : charge.microUsd,
    latencyMs: Math.round(now - started),
    endedAt: isoTime(now),
  };
  try {
    await reservation.lease.assertHeld();
    const { row } = await door.ledger.settleAfter(undefined, settled, version);
    if (row.outcome === 'lapsed') reservation.lease.lose();
    purse.settle(reservation, usesOf(row));
  } catch (error) {
    // The sweep settles the row; what it may have cost is charged.
    purse.abandon(reservation);
    throw error;
  }
  if (failure) throw failure.thrown;
  return value!;
}
