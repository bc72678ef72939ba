import { isoTime } from '#shared/determinism/clock.ts';
import { AgentmillError, budgetExhausted, cancelled, deadlineExceeded } from '#shared/task/errors.ts';
import type { Reservation } from '../budget/purse.ts';
import { amounts } from '../budget/item.ts';
import type { Keeping } from '../cache/store.ts';
import type { InferContext } from '../context.ts';
import { costOf, needOf, outputBound, promptBytes, type Need } from '../ledger/cost.ts';
import { OPEN, usesOf } from '../ledger/row.ts';
import { countsOf } from '../observability/attempt.ts';
import { logAttempt } from '../observability/log.ts';
import { priceAt, priceVersionOf } from '../registry.ts';
import {
  ProviderError,
  type InferErrorCode,
  type InferRequest,
  type LedgerRow,
  type ModelEntry,
  type Price,
  type ProviderReply,
  type Usage,
} from '../types.ts';
import { isInside, type Door, type Gate } from './door.ts';
import { callProvider, type OnDelta } from './provider-call.ts';
import { usageOf } from './usage.ts';

/** Time kept for settling and writing results after the last answer. */
const MARGIN_MS = 3000;
/** With less than this left nothing is started. */
const LEAST_MS = 1000;
/** How long callers wait for a breaker to let them try; beyond it the request fails. */
const LONGEST_BLOCK_MS = 120_000;
/** Times a settled row is written before the lease is given up. */
const SETTLE_TRIES = 4;

/** One attempt at one model. */
export interface AttemptTask {
  request: InferRequest;
  model: ModelEntry;
  ctx: InferContext;
  kind: LedgerRow['kind'];
  routeReason?: string;
  /** Which attempt of the request this is, from 1. */
  ordinal: number;
  /** Answered attempts so far: part of the idempotency key. */
  answered: number;
  cacheKey: string;
  /** Cancels this attempt alone: the loser of a hedge. */
  signal?: AbortSignal;
  onDelta?: OnDelta;
  /** What the answer is worth: a code, or how it is kept, which is done with the settlement of the attempt. */
  judge(reply: ProviderReply, usage: Usage, costMicros: number): Promise<Verdict>;
}

export interface Verdict {
  code?: InferErrorCode;
  keeping?: Keeping;
}

export type AttemptOutcome =
  | { answered: true; row: LedgerRow; reply: ProviderReply; usage: Usage; code?: InferErrorCode }
  | { answered: false; row?: LedgerRow; error: ProviderError };

/**
 * Makes one attempt: slot, reservation, rate limits, breaker, call, settlement (model-inference sections 1, 7, 8, 9).
 * Failures of the endpoint are returned.
 * @throws BudgetExhausted, DeadlineExceeded, Cancelled, StorageUnavailable.
 */
export async function makeAttempt(door: Door, task: AttemptTask): Promise<AttemptOutcome> {
  const { model, ctx } = task;
  const gate = door.gate(model);
  const asked = ctx.runtime.clock.now();
  for (;;) {
    if (!isInside(model)) {
      const blocked = await awaitBreaker(door, gate, task);
      if (blocked) return { answered: false, error: blocked };
    }
    const entered = await enter(door, gate, task);
    if (!entered) continue;
    try {
      return await run(door, gate, task, entered, asked);
    } finally {
      gate.concurrency.release();
    }
  }
}

/** What the metrics of an attempt are filed under. */
const subjectOf = ({ ctx, model }: Pick<AttemptTask, 'ctx' | 'model'>) => ({
  workflow: ctx.workflow,
  model: model.name,
  provider: model.provider,
});

const signalOf = ({ ctx, signal }: Waiting): AbortSignal | undefined =>
  signal && ctx.signal ? AbortSignal.any([signal, ctx.signal]) : (signal ?? ctx.signal);

/** What waits for a model: an attempt, or the submission of one. */
type Waiting = Pick<AttemptTask, 'ctx' | 'model' | 'signal'>;

/** Waits while the breaker is open. @returns an error where that would take too long. */
export async function awaitBreaker(
  door: Door,
  gate: Gate,
  task: Waiting,
): Promise<ProviderError | undefined> {
  const { clock } = task.ctx.runtime;
  const start = clock.now();
  for (;;) {
    const { until, reason } = await gate.breaker.blockedUntil();
    const now = clock.now();
    if (until <= now) return undefined;
    door.metrics.add(subjectOf(task), 'BreakerOpen');
    const limit = Math.min(start + LONGEST_BLOCK_MS, (task.ctx.deadline ?? Infinity) - MARGIN_MS - LEAST_MS);
    if (until > limit) {
      const code = reason === 'QUOTA' || reason === 'AUTH' || reason === 'NOT_FOUND' ? reason : 'UNAVAILABLE';
      return new ProviderError(code, `The breaker of ${task.model.name} is open (${reason}).`, {
        billed: 'no',
      });
    }
    await sleepUnlessAborted(task, until - now);
  }
}

async function sleepUnlessAborted(task: Waiting, ms: number): Promise<void> {
  try {
    await task.ctx.runtime.clock.sleep(ms, signalOf(task));
  } catch (error) {
    throw stopReason(task) ?? error;
  }
}

/** The error of a call that was stopped from outside. */
export function stopReason(task: Pick<AttemptTask, 'ctx' | 'signal'>): Error | undefined {
  const reason: unknown = task.ctx.signal?.aborted ? task.ctx.signal.reason : undefined;
  if (reason instanceof AgentmillError) return reason;
  if (task.ctx.signal?.aborted || task.signal?.aborted)
    return cancelled('The call was stopped.', { cause: reason });
  return undefined;
}

interface Entered {
  reservation: Reservation;
  need: Need;
  price: Price;
  bytes: number;
  tokens: number;
  probe: boolean;
}

/** Takes slot, money, rate and the breaker's leave, in this order; undefined when the breaker closed the way meanwhile. */
async function enter(door: Door, gate: Gate, task: AttemptTask): Promise<Entered | undefined> {
  const { model, request, ctx } = task;
  const signal = signalOf(task);
  const price = priceAt(model, ctx.runtime.clock.now());
  const need = needOf(request, model, price);
  const purse = door.purse(ctx.jobId);
  let reservation: Reservation | undefined;
  await gate.concurrency.acquire(signal).catch((error: unknown) => {
    throw stopReason(task) ?? error;
  });
  try {
    reservation = await purse.reserve(need, {
      concurrency: gate.concurrency.current,
      registry: ctx.registry,
      ...(signal ? { signal } : {}),
      ...(ctx.hold === undefined ? {} : { hold: ctx.hold }),
    });
    checkTime(door, task);
    if (isInside(model)) return { reservation, need, price, bytes: 0, tokens: 0, probe: false };
    const bytes = promptBytes(request, model.imageTokens);
    const tokens = gate.estimate.of(bytes, outputBound(request, model));
    const latest = (ctx.deadline ?? Infinity) - MARGIN_MS - LEAST_MS;
    await gate.rpm.take(1, latest, signal);
    await gate.tpm.take(tokens, latest, signal);
    const admission = await gate.breaker.enter();
    if (admission.admitted) return { reservation, need, price, bytes, tokens, probe: admission.probe };
  } catch (error) {
    if (reservation) purse.settle(reservation, amounts());
    gate.concurrency.release();
    throw signal?.aborted ? (stopReason(task) ?? error) : error;
  }
  purse.settle(reservation, amounts());
  gate.concurrency.release();
  return undefined;
}

/**
 * How long the attempt may take: the least of the model's and the request's limit, the time to the deadline and the
 * job's seconds. @throws DeadlineExceeded or BudgetExhausted when that is under a second.
 */
function checkTime(door: Door, { model, request, ctx }: AttemptTask): number {
  const now = ctx.runtime.clock.now();
  const untilDeadline = (ctx.deadline ?? Infinity) - now - MARGIN_MS;
  const untilSeconds = (door.purse(ctx.jobId).secondsUntil ?? Infinity) - now;
  if (untilDeadline < LEAST_MS)
    throw deadlineExceeded('No time is left to call a model before the deadline.');
  if (untilSeconds < LEAST_MS) throw budgetExhausted(`The running time of ${ctx.jobId} is used up.`);
  return Math.min(model.timeoutMs, request.timeoutMs ?? Infinity, untilDeadline, untilSeconds);
}

async function run(
  door: Door,
  gate: Gate,
  task: AttemptTask,
  entered: Entered,
  asked: number,
): Promise<AttemptOutcome> {
  const { model, ctx } = task;
  const { clock } = ctx.runtime;
  const purse = door.purse(ctx.jobId);
  const started = clock.now();
  const open = openRow(task, entered, started, started - asked);
  const attemptId = open.attemptId;
  /** Of the open row; calls that never leave the process have none. */
  let version: number | undefined;
  try {
    if (!isInside(model)) version = await door.ledger.write(open);
  } catch (error) {
    if (entered.probe) await gate.breaker.abandon();
    purse.settle(entered.reservation, amounts());
    throw error;
  }

  let settled: LedgerRow;
  let outcome: AttemptOutcome;
  let code: InferErrorCode | undefined;
  let keeping: Keeping | undefined;
  let stopped: Error | undefined;
  let failure: unknown;
  try {
    const { reply, firstTokenMs } = await callProvider(
      await door.provider(model, ctx),
      {
        attemptId,
        model,
        request: task.request,
        idempotencyKey: `${task.cacheKey.slice(0, 48)}-${task.answered}`,
        timeoutMs: checkTime(door, task),
        signal: signalOf(task) ?? NEVER,
      },
      task.onDelta,
      clock,
    );
    const { usage, estimated } = await usageOf(task.request, model, reply);
    const costMicros = costOf(usage, entered.price);
    const row: LedgerRow = {
      ...closed(open, clock.now()),
      outcome: 'ok',
      ...tokensOf(usage),
      estimated,
      billed: 'yes',
      costMicros,
      ...(firstTokenMs === undefined ? {} : { firstTokenMs }),
      ...(reply.httpStatus === undefined ? {} : { httpStatus: reply.httpStatus }),
    };
    try {
      ({ code, keeping } = await task.judge(reply, usage, costMicros));
    } catch (error) {
      // It was answered and is paid for, whatever became of the answer here.
      failure = error;
      code = 'DEFECT';
    }
    settled = code ? { ...row, outcome: failure ? 'error' : 'rejected', errorCode: code } : row;
    outcome = { answered: true, row: settled, reply, usage, ...(code ? { code } : {}) };
  } catch (thrown) {
    stopped = stopReason(task);
    const error = asProviderError(thrown);
    code = error.code;
    settled = failedRow(closed(open, clock.now()), error, model, entered.price, stopped !== undefined);
    outcome = { answered: false, row: settled, error };
    if (thrown instanceof AgentmillError) failure = thrown;
  }

  const refused = await settle(door, entered.reservation, settled, { version, put: keeping?.put }, ctx);
  await keeping?.stands(refused);
  const trouble = outcome.answered ? undefined : outcome.error;
  await report(door, gate, task, entered, settled, stopped ? undefined : trouble, outcome);
  if (failure) throw failure;
  // A hedge's loser ends quietly; a stopped call says why.
  if (stopped && !task.signal?.aborted) throw stopped;
  return outcome;
}

const NEVER = new AbortController().signal;

function openRow(
  task: AttemptTask,
  { reservation, need, price }: Entered,
  now: number,
  queuedMs: number,
): LedgerRow {
  const { request, model, ctx } = task;
  return {
    attemptId: ctx.runtime.ids.hex(128),
    jobId: ctx.jobId,
    workflow: ctx.workflow,
    stage: ctx.stage,
    requestId: request.id,
    role: request.role.name,
    roleVersion: request.role.version,
    model: model.name,
    provider: model.provider,
    ...(model.endpoint.variant === undefined ? {} : { variant: model.endpoint.variant }),
    kind: ctx.kind ?? task.kind,
    ...(task.routeReason === undefined ? {} : { routeReason: task.routeReason }),
    ...OPEN,
    reservedMicros: need.micros,
    priceVersion: priceVersionOf(model, price),
    leaseId: reservation.lease.id,
    attempt: task.ordinal,
    queuedMs,
    startedAt: isoTime(now),
    cacheKey: task.cacheKey,
  };
}

const closed = (open: LedgerRow, now: number): LedgerRow => ({
  ...open,
  state: 'settled',
  latencyMs: Math.round(now - Date.parse(open.startedAt)),
  endedAt: isoTime(now),
});

const tokensOf = (usage: Usage) => ({
  tokensIn: usage.input,
  tokensCached: usage.cached ?? 0,
  tokensOut: usage.output,
  tokensReasoning: usage.reasoning ?? 0,
});

/**
 * What a failed attempt costs: its usage where the endpoint reported one; nothing where it was refused; where nobody
 * knows, the whole reservation on models that bill by token.
 */
function failedRow(
  row: LedgerRow,
  error: ProviderError,
  model: ModelEntry,
  price: Price,
  stopped: boolean,
): LedgerRow {
  const { usage } = error;
  const unknown = error.billed !== 'no' && model.billing === 'token' ? row.reservedMicros : 0;
  return {
    ...row,
    outcome: stopped ? 'cancelled' : 'error',
    errorCode: error.code,
    billed: usage ? 'yes' : error.billed,
    costMicros: usage ? costOf(usage, price) : unknown,
    ...(usage ? tokensOf(usage) : {}),
    ...(error.httpStatus === undefined ? {} : { httpStatus: error.httpStatus }),
  };
}

function asProviderError(thrown: unknown): ProviderError {
  if (thrown instanceof ProviderError) return thrown;
  return new ProviderError('DEFECT', thrown instanceof Error ? thrown.message : String(thrown), {
    billed: 'unknown',
    cause: thrown,
  });
}

/**
 * Stores the answer and the settled row, the answer first, then charges it. A row that cannot be written is left to the sweep; one that the sweep has
 * settled already stays as it is, and this process stops.
 */
async function settle(
  door: Door,
  reservation: Reservation,
  row: LedgerRow,
  { version, put }: { version: number | undefined; put: Keeping['put'] },
  ctx: InferContext,
): Promise<AgentmillError | undefined> {
  const purse = door.purse(ctx.jobId);
  for (let k = 1; ; k++) {
    try {
      await reservation.lease.assertHeld();
      const standing = await door.ledger.settleAfter(put, row, version ?? null);
      if (standing.row.outcome === 'lapsed') reservation.lease.lose();
      purse.settle(reservation, usesOf(row));
      return standing.refused;
    } catch (error) {
      if (k === SETTLE_TRIES || !reservation.lease.usable) {
        purse.abandon(reservation);
        throw error;
      }
      await ctx.runtime.clock.sleep(250 * 2 ** k);
    }
  }
}

/** Tells limits, breaker, statistics, metrics and logs what came of an attempt. */
async function report(
  door: Door,
  gate: Gate,
  task: AttemptTask,
  entered: Entered,
  row: LedgerRow,
  error: ProviderError | undefined,
  outcome: AttemptOutcome,
): Promise<void> {
  const { model, ctx } = task;
  const subject = subjectOf(task);
  const { metrics } = door;
  metrics.addAll(subject, {
    ...countsOf(row),
    Concurrency: gate.concurrency.current,
    BudgetRemaining: door.purse(ctx.jobId).remaining('micros'),
  });

  if (error) ctx.onError?.(error);

  gate.stats.made++;
  if (outcome.answered) {
    gate.stats.answered++;
    gate.stats.latencies.push(row.latencyMs);
    if (gate.stats.latencies.length > 100) gate.stats.latencies.shift();
  }
  if (isInside(model)) return;

  logAttempt(ctx.runtime, row, {
    request: task.request,
    ...(outcome.answered ? { text: outcome.reply.text } : { error: outcome.error.message }),
  });
  if (error?.code === 'THROTTLED') gate.concurrency.throttled();
  else if (outcome.answered) gate.concurrency.succeeded();
  if (error?.retryAfterMs)
    await gate.rpm.pauseUntil(ctx.runtime.clock.now() + Math.min(error.retryAfterMs, 120_000));
  if (row.outcome === 'cancelled' || error?.unsent) {
    if (entered.probe) await gate.breaker.abandon();
    return;
  }
  await gate.breaker.after(entered.probe, error?.code, error?.untilDeadline);
  metrics.add(subject, 'BreakerOpen', gate.breaker.isOpen ? 1 : 0);
  if (outcome.answered) {
    gate.estimate.learn(entered.bytes, outcome.usage.input, outcome.usage.output);
    gate.tpm.correct(outcome.usage.input + outcome.usage.output - entered.tokens);
  }
}
