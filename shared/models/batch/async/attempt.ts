import { isoTime } from '#shared/determinism/clock.ts';
import { isError } from '#shared/task/errors.ts';
import { amounts, lessOf, UNITS, type Amounts } from '../../budget/item.ts';
import { holdLease } from '../../budget/sweep.ts';
import { cacheKey, keyedModel } from '../../cache/key.ts';
import type { InferContext } from '../../context.ts';
import { CODES } from '../../door/codes.ts';
import type { Door } from '../../door/door.ts';
import { badResult } from '../../door/result.ts';
import { needOf } from '../../ledger/cost.ts';
import { OPEN, usesOf } from '../../ledger/row.ts';
import { backOffMs } from '../../limits/back-off.ts';
import { countsOf } from '../../observability/attempt.ts';
import { logAttempt } from '../../observability/log.ts';
import { asyncExpiry, planAsync, submitAsync, type AsyncPlan } from '../../providers/sagemaker-async.ts';
import { priceAt, priceVersionOf } from '../../registry.ts';
import {
  ProviderError,
  type InferErrorCode,
  type InferRequest,
  type InferResult,
  type LedgerRow,
  type ModelEntry,
} from '../../types.ts';
import { abandon, admit, noteOutcome } from './admission.ts';
import { finishCall, leaveUnpaid, moveTo } from './lines.ts';
import {
  aliasKey,
  attemptIdOf,
  batchKey,
  batchOf,
  callKey,
  callOf,
  callRecord,
  ignoreConflict,
  keptRequest,
  requestOf,
  sentOf,
  type AsyncBatch,
  type AsyncCall,
} from './records.ts';

/** One attempt of a line: submitted, and, where it has failed, followed by the next. */

const SUBMIT_MS = 60_000;
/** How long a completion waits for limits and breaker before it is left to the next delivery or sweep. */
const PATIENCE_MS = 10_000;

export const keyIn = (batch: AsyncBatch, request: InferRequest, model: ModelEntry): string =>
  cacheKey(request, keyedModel(model), batch.cacheScope === 'job' ? batch.jobId : undefined);

export interface AttemptOfLine {
  line: number;
  ordinal: number;
  /** The line's request, and what this attempt is sent: the same unless it is a re-ask. */
  request: InferRequest;
  sent: InferRequest;
  reask: boolean;
  failures?: AsyncCall['failures'];
}

/** The line's final status, where the attempt ended it at once. */
type Ended = InferResult['status'] | undefined;

/**
 * Submits one attempt of a line, when limits and breaker let it. Its record is written first: who finds it there has
 * been beaten, and does not submit; a process that died between the two leaves it to the sweep, which finds the output
 * or the expiry.
 * @throws ModelUnavailable, DeadlineExceeded, Cancelled before anything is written: it may be repeated.
 */
export async function submitCall(
  door: Door,
  batch: AsyncBatch,
  model: ModelEntry,
  attempt: AttemptOfLine,
  ctx: InferContext,
): Promise<Ended> {
  const { runtime } = ctx;
  const { records, clock } = runtime;
  const { line, ordinal, request, sent, reask } = attempt;
  const attemptId = attemptIdOf(batch.batchId, line, ordinal);
  if (await records.get(callKey(attemptId))) return undefined;
  const asked = clock.now();
  const admitted = await admit(door, model, sent, ctx);
  const plan = planAsync({ jobId: batch.jobId, requestHash: attemptId, ordinal });
  const now = clock.now();
  const call: AsyncCall = {
    attemptId,
    batchId: batch.batchId,
    line,
    ordinal,
    state: 'SUBMITTING',
    outputKey: plan.outputKey,
    failureKey: plan.failureKey,
    submittedAt: now,
    expiresAt: asyncExpiry(model, now),
    checks: 0,
    row: openRow(batch, model, attempt, attemptId, now, Math.round(now - asked)),
    request: await keptRequest(runtime, batch, String(line), request),
    reask,
    ...(reask ? { sent: await keptRequest(runtime, batch, `${line}-${ordinal}`, sent) } : {}),
    ...admitted,
    ...(attempt.failures ? { failures: attempt.failures } : {}),
  };
  try {
    await records.put(callRecord(call), { ifAbsent: true });
  } catch (error) {
    await abandon(door, model, admitted);
    if (isError(error, 'Conflict')) return undefined;
    throw error;
  }
  await door.ledger.write(call.row);
  try {
    await submit(call, model, sent, plan, ctx);
    return undefined;
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    return refused(door, call, model, error, ctx);
  }
}

async function submit(
  call: AsyncCall,
  model: ModelEntry,
  sent: InferRequest,
  plan: AsyncPlan,
  ctx: InferContext,
): Promise<void> {
  const { runtime } = ctx;
  const { records } = runtime;
  const { attemptId } = call;
  const submission = await submitAsync(
    {
      attemptId,
      model,
      request: sent,
      idempotencyKey: attemptId,
      timeoutMs: SUBMIT_MS,
      signal: ctx.signal ?? new AbortController().signal,
    },
    { runtime, roleOf: ctx.roleOf },
    plan,
  );
  const { outputKey, failureKey, outputBucket, failureBucket, expiresAt } = submission;
  const waiting: AsyncCall = {
    ...call,
    state: 'WAITING',
    outputKey,
    failureKey,
    expiresAt,
    ...(outputBucket ? { outputBucket } : {}),
    ...(failureBucket ? { failureBucket } : {}),
  };
  for (const key of [outputKey, failureKey]) {
    if (!key.includes(attemptId)) await records.put({ ...aliasKey(key), attributes: { attemptId } });
  }
  // A completion may have been faster: then the record has moved on, and stays so.
  const current = await records.get(callKey(attemptId));
  if (!current || callOf(current).state !== 'SUBMITTING') return;
  await records.put(callRecord(waiting), { ifVersion: current.version }).catch(ignoreConflict);
}

/** The endpoint did not take it: the next attempt goes after a back-off, here where there is time, else with the sweep. */
async function refused(
  door: Door,
  call: AsyncCall,
  model: ModelEntry,
  error: ProviderError,
  ctx: InferContext,
): Promise<Ended> {
  const { clock, records } = ctx.runtime;
  const { code, billed, message, retryAfterMs } = error;
  const pause = backOffMs(failuresOf(call, code), ctx.rng, retryAfterMs);
  const now = clock.now();
  if (retryAfterMs) await door.gate(model).rpm.pauseUntil(now + pause);
  const known: AsyncCall = {
    ...call,
    state: 'REFUSED',
    retryAt: now + pause,
    refused: { code, billed, message },
  };
  await records.put(callRecord(known));
  const last = failuresOf(call, code) >= attemptsOf(code);
  if (!last) {
    await settleFailed(door, known, model, error, ctx);
    if (now + pause + PATIENCE_MS > (ctx.deadline ?? Infinity)) return undefined;
    await clock.sleep(pause, ctx.signal);
  }
  return failCall(door, known, error, ctx);
}

/** How often a line has failed by a code, with this attempt. */
const failuresOf = (call: AsyncCall, code: InferErrorCode): number => (call.failures?.[code] ?? 0) + 1;

/** Times a line may fail this way before it has failed; expiry is resubmitted once. */
const attemptsOf = (code: InferErrorCode): number => (code === 'EXPIRED' ? 2 : CODES[code].attempts);

/** Settles an attempt without an answer; submits another, or gives the line up. */
export async function failCall(
  door: Door,
  call: AsyncCall,
  error: ProviderError,
  ctx: InferContext,
): Promise<Ended> {
  const { code } = error;
  const model = ctx.registry.models.get(call.row.model)!;
  const request = await requestOf(ctx.runtime, call);
  const row = await settleFailed(door, call, model, error, ctx);
  const state = code === 'EXPIRED' ? 'EXPIRED' : 'DONE';
  const count = failuresOf(call, code);
  if (count < attemptsOf(code)) {
    const failures = { ...call.failures, [code]: count };
    // A re-ask that got no answer is asked again as it was: there is one of each line.
    const next = { request, sent: await sentOf(ctx.runtime, call), reask: call.reask, failures };
    return again(door, { ...call, row }, model, next, ctx, state);
  }
  const result = await badResult(
    request,
    call.row.cacheKey,
    { status: CODES[code].status, code },
    model,
    ctx.runtime.artifacts,
  );
  await finishCall(door, call, result, ctx, state);
  return result.status;
}

async function settleFailed(
  door: Door,
  call: AsyncCall,
  model: ModelEntry,
  error: ProviderError,
  ctx: InferContext,
): Promise<LedgerRow> {
  const { row } = call;
  const costMicros = error.billed !== 'no' && model.billing === 'token' ? row.reservedMicros : 0;
  const { code: errorCode, billed, message } = error;
  const request = await requestOf(ctx.runtime, call);
  const settled = { ...row, outcome: 'error', errorCode, billed, costMicros } as const;
  return settleRow(door, settled, ctx, { request, error: message }, () =>
    noteOutcome(door, model, call, { error }),
  );
}

/** Gives a line up whose model the registry no longer has: what it may have charged is not known. */
export async function loseCall(door: Door, call: AsyncCall, ctx: InferContext): Promise<void> {
  const { row } = call;
  const request = await requestOf(ctx.runtime, call);
  const costMicros = row.reservedMicros;
  await settleRow(
    door,
    { ...row, outcome: 'error', errorCode: 'EXPIRED', billed: 'unknown', costMicros },
    ctx,
    { request, error: `The registry has no model ${row.model} any more.` },
  );
  const model = { name: row.model, provider: 'sagemaker-async' } as const;
  const answer = { status: 'failed', code: 'EXPIRED' } as const;
  const result = await badResult(request, row.cacheKey, answer, model, ctx.runtime.artifacts);
  return finishCall(door, call, result, ctx, 'EXPIRED');
}

/**
 * The next attempt of a line: reserved, submitted, and only then is the old one over. What the old one had reserved
 * and not used pays for it first.
 */
export async function again(
  door: Door,
  call: AsyncCall,
  model: ModelEntry,
  next: Pick<AttemptOfLine, 'request' | 'sent' | 'reask' | 'failures'>,
  ctx: InferContext,
  state: AsyncCall['state'] = 'DONE',
): Promise<undefined> {
  const { clock, records } = ctx.runtime;
  const batch = batchOf((await records.get(batchKey(call.batchId)))!);
  const now = clock.now();
  const ordinal = call.ordinal + 1;
  const before = needOf(
    await sentOf(ctx.runtime, call),
    model,
    priceAt(model, Date.parse(call.row.startedAt)),
  );
  const need = needOf(next.sent, model, priceAt(model, now));
  const left = lessOf(before, usesOf(call.row));
  const carried = each((unit) => Math.max(0, Math.min(left[unit], need[unit])));
  try {
    await holdLease(ctx.runtime, batch.jobId, {
      id: batch.batchId,
      more: lessOf(need, carried),
      carried,
      until: asyncExpiry(model, now),
      // The same news may come twice at once: what it leads to is paid for once.
      once: `${call.line}.${ordinal}`,
    });
  } catch (error) {
    if (!isError(error, 'BudgetExhausted')) throw error;
    await leaveUnpaid(door, call, ctx, state);
    return undefined;
  }
  const patient = { ...ctx, deadline: ctx.deadline ?? now + PATIENCE_MS };
  await submitCall(door, batch, model, { line: call.line, ordinal, ...next }, patient);
  await moveTo(call, state, ctx);
  return undefined;
}

function each(of: (unit: keyof Amounts) => number): Amounts {
  const made = amounts();
  for (const unit of UNITS) made[unit] = of(unit);
  return made;
}

/**
 * Settles an attempt's row, once whatever comes how often: `first` is run for the settlement that counts.
 * @returns the row that stands.
 */
export async function settleRow(
  door: Door,
  row: LedgerRow,
  ctx: InferContext,
  { repairs, ...detail }: Parameters<typeof logAttempt>[2] & { repairs?: string[] },
  first?: () => Promise<void>,
): Promise<LedgerRow> {
  const now = ctx.runtime.clock.now();
  const settled: LedgerRow = {
    ...row,
    state: 'settled',
    endedAt: isoTime(now),
    latencyMs: Math.round(now - Date.parse(row.startedAt)),
  };
  // The same news twice, or later than the sweep that closed the batch's lease: what is settled stays.
  const standing = await door.ledger.settle(settled);
  if (standing !== settled) return standing;
  door.metrics.addAll(row, {
    ...countsOf(settled),
    Repairs: repairs && repairs.length > 0 ? 1 : undefined,
  });
  logAttempt(ctx.runtime, settled, detail);
  await first?.();
  return settled;
}

function openRow(
  batch: AsyncBatch,
  model: ModelEntry,
  { request, sent, ordinal, reask }: AttemptOfLine,
  attemptId: string,
  now: number,
  queuedMs: number,
): LedgerRow {
  const price = priceAt(model, now);
  return {
    attemptId,
    jobId: batch.jobId,
    workflow: batch.workflow,
    stage: batch.stage,
    requestId: request.id,
    role: request.role.name,
    roleVersion: request.role.version,
    model: model.name,
    provider: model.provider,
    kind: reask ? 'reask' : 'call',
    ...OPEN,
    reservedMicros: needOf(sent, model, price).micros,
    priceVersion: priceVersionOf(model, price),
    leaseId: batch.batchId,
    attempt: ordinal + 1,
    queuedMs,
    startedAt: isoTime(now),
    cacheKey: keyIn(batch, request, model),
  };
}
