import { isoTime } from '#shared/determinism/clock.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { Json, RecordItem } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import { amounts } from '../../budget/item.ts';
import { closeLease, holdLease, rowsOfLease } from '../../budget/sweep.ts';
import type { InferContext } from '../../context.ts';
import { CODES } from '../../door/codes.ts';
import type { Door } from '../../door/door.ts';
import { badResult, okResult } from '../../door/result.ts';
import { usageOf } from '../../door/usage.ts';
import { costOf, needOf } from '../../ledger/cost.ts';
import { asyncExpiry, asyncFailure, readAsyncOutput } from '../../providers/sagemaker-async.ts';
import { countsOf } from '../../observability/attempt.ts';
import { logAttempt } from '../../observability/log.ts';
import { priceAt } from '../../registry.ts';
import { decodeOutput, reaskMessages } from '../../structured-output.ts';
import {
  ProviderError,
  type InferErrorCode,
  type InferRequest,
  type InferTrace,
  type LedgerRow,
  type ModelEntry,
  type ProviderReply,
} from '../../types.ts';
import { rejectOf, type InferReject } from '../assemble.ts';
import type { BatchCounts, BatchOutput } from '../checkpoint.ts';
import { tracesKey, tracesOfRows } from '../traces.ts';
import {
  batchKey,
  batchOf,
  callKey,
  callOf,
  callRecord,
  endedIndex,
  hasLine,
  linesOf,
  outstandingOf,
  putLine,
  requestOf,
  type AsyncBatch,
  type AsyncCall,
} from './records.ts';
import { submitCall } from './submit.ts';

/** A context without the job's parts, which the batch's record has. */
export type CompletionContext = Omit<InferContext, 'jobId' | 'workflow' | 'stage'>;

/**
 * Looks at what an asynchronous call has come to and acts on it: settles and caches an answer, submits a re-ask or a
 * further attempt, ends the batch with its last line. Any number of deliveries of the same news do it once.
 * @param failureReason what a failure notification says, where its file is not there.
 * @returns whether the call is over.
 */
export async function completeCall(
  door: Door,
  attemptId: string,
  base: CompletionContext,
  failureReason?: string,
): Promise<boolean> {
  const { runtime, registry } = base;
  const item = await runtime.records.get(callKey(attemptId));
  if (!item) return true;
  const call = callOf(item);
  const found = await runtime.records.get(batchKey(call.batchId));
  if (!found) return true;
  const batch = batchOf(found);
  const ctx: InferContext = { ...base, jobId: batch.jobId, workflow: batch.workflow, stage: batch.stage };
  if (call.state === 'DONE') {
    // A delivery before this one may have died between the line and the count.
    if (await hasLine(runtime, call.batchId, call.line)) await finishLine(door, batch, call.line, ctx);
    return true;
  }
  const expired = runtime.clock.now() >= call.expiresAt;
  const model = registry.models.get(call.row.model);
  if (!model) {
    // Taken out of the registry while it was asked: it may come back until the request expires.
    if (expired && call.state !== 'EXPIRED') await loseCall(door, call, ctx);
    return expired;
  }
  const outcome = await readAsyncOutput(model, { runtime, roleOf: base.roleOf }, call);
  if (outcome.state === 'completed') {
    await answered(door, call, model, outcome.reply, ctx);
    return true;
  }
  if (call.state === 'EXPIRED') return true;
  if (outcome.state === 'pending' && failureReason === undefined && !expired) return false;
  const error =
    outcome.state === 'failed'
      ? outcome.error
      : failureReason !== undefined
        ? asyncFailure(failureReason)
        : new ProviderError('EXPIRED', 'No answer before the request expired.', { billed: 'unknown' });
  await failCall(door, call, error, ctx);
  return true;
}

async function answered(
  door: Door,
  call: AsyncCall,
  model: ModelEntry,
  reply: ProviderReply,
  ctx: InferContext,
): Promise<void> {
  const request = await requestOf(ctx.runtime, call);
  const { usage, estimated } = await usageOf(request, model, reply);
  const costMicros = costOf(usage, priceAt(model, Date.parse(call.row.startedAt)));
  const decoded = decodeOutput(reply, request, model);
  const key = call.row.cacheKey;
  const row: LedgerRow = {
    ...call.row,
    outcome: decoded.ok ? 'ok' : 'rejected',
    ...(decoded.ok ? {} : { errorCode: decoded.code }),
    tokensIn: usage.input,
    tokensCached: usage.cached ?? 0,
    tokensOut: usage.output,
    tokensReasoning: usage.reasoning ?? 0,
    estimated,
    billed: 'yes',
    costMicros,
  };
  let kept: Awaited<ReturnType<typeof door.cache.put>> | undefined;
  if (decoded.ok) {
    const answer = {
      finish: reply.finish,
      text: decoded.text,
      ...(decoded.reasoning ? { reasoning: decoded.reasoning } : {}),
      ...(decoded.output === undefined ? {} : { output: decoded.output }),
      ...(decoded.toolCalls ? { toolCalls: decoded.toolCalls } : {}),
      repairs: decoded.repairs,
      model: model.name,
      provider: model.provider,
      tokens: { input: usage.input, output: usage.output },
    };
    const entry = { answer, usage, costMicros };
    kept = request.cache === 'off' ? entry : await door.cache.put(key, entry, request.cache === 'refresh');
  }
  // Late: another attempt has the line, but the answer was worth keeping.
  if (call.state === 'EXPIRED') return;
  await settleRow(door, row, ctx, { request, text: reply.text, repairs: decoded.repairs });
  if (kept) return finishCall(door, call, okResult(request, key, kept.answer), ctx);
  const bad = decoded as typeof decoded & { ok: false };
  if ((bad.code === 'PARSE_ERROR' || bad.code === 'SCHEMA_INVALID') && !call.reask) {
    const sent = { ...request, messages: reaskMessages(request, bad.raw, bad.errors) };
    return again(door, call, model, { request, sent, reask: true }, ctx);
  }
  const result = await badResult(
    request,
    key,
    { status: 'rejected', code: bad.code, raw: bad.raw, usage, finish: reply.finish },
    model,
    ctx.runtime.artifacts,
  );
  return finishCall(door, call, result, ctx);
}

/** Times a line may fail this way before it has failed; expiry is resubmitted once. */
const attemptsOf = (code: InferErrorCode): number => (code === 'EXPIRED' ? 2 : CODES[code].attempts);

/** Settles an attempt without an answer; submits another, or gives the line up. */
export async function failCall(
  door: Door,
  call: AsyncCall,
  error: ProviderError,
  ctx: InferContext,
): Promise<void> {
  const model = ctx.registry.models.get(call.row.model)!;
  const charged = error.billed !== 'no' && model.billing === 'token' ? call.row.reservedMicros : 0;
  const request = await requestOf(ctx.runtime, call);
  await settleRow(
    door,
    { ...call.row, outcome: 'error', errorCode: error.code, billed: error.billed, costMicros: charged },
    ctx,
    { request, error: error.message },
  );
  const state = error.code === 'EXPIRED' ? 'EXPIRED' : 'DONE';
  if (call.ordinal + 1 < attemptsOf(error.code)) {
    return again(door, call, model, { request, sent: request, reask: false }, ctx, state);
  }
  const result = await badResult(
    request,
    call.row.cacheKey,
    { status: CODES[error.code].status, code: error.code },
    model,
    ctx.runtime.artifacts,
  );
  return finishCall(door, call, result, ctx, state);
}

/** Gives a line up whose model the registry no longer has: what it may have charged is not known. */
async function loseCall(door: Door, call: AsyncCall, ctx: InferContext): Promise<void> {
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

/** The next attempt of a line: reserved, submitted, and only then is the old one over. */
async function again(
  door: Door,
  call: AsyncCall,
  model: ModelEntry,
  next: { request: InferRequest; sent: InferRequest; reask: boolean },
  ctx: InferContext,
  state: AsyncCall['state'] = 'DONE',
): Promise<void> {
  const batch = batchOf((await ctx.runtime.records.get(batchKey(call.batchId)))!);
  const now = ctx.runtime.clock.now();
  try {
    await holdLease(ctx.runtime, batch.jobId, {
      id: batch.batchId,
      more: needOf(next.sent, model, priceAt(model, now)),
      until: asyncExpiry(model, now),
      // The same news may come twice at once: what it leads to is paid for once.
      once: `${call.line}.${call.ordinal + 1}`,
    });
  } catch (error) {
    if (!isError(error, 'BudgetExhausted')) throw error;
    const answer = { status: 'failed', code: 'QUOTA' } as const;
    const result = await badResult(next.request, call.row.cacheKey, answer, model, ctx.runtime.artifacts);
    return finishCall(door, call, result, ctx, state);
  }
  await submitCall(door, batch, model, { line: call.line, ordinal: call.ordinal + 1, ...next }, ctx);
  await moveTo(call, state, ctx);
}

async function settleRow(
  door: Door,
  row: LedgerRow,
  ctx: InferContext,
  { repairs, ...detail }: Parameters<typeof logAttempt>[2] & { repairs?: string[] },
): Promise<void> {
  const now = ctx.runtime.clock.now();
  const settled: LedgerRow = {
    ...row,
    state: 'settled',
    endedAt: isoTime(now),
    latencyMs: Math.round(now - Date.parse(row.startedAt)),
  };
  // The same news twice, or later than the sweep that closed the batch's lease: what is settled stays.
  if ((await door.ledger.settle(settled)) !== settled) return;
  door.metrics.addAll(row, {
    ...countsOf(settled),
    Repairs: repairs && repairs.length > 0 ? 1 : undefined,
  });
  logAttempt(ctx.runtime, settled, detail);
}

async function finishCall(
  door: Door,
  call: AsyncCall,
  result: Parameters<typeof putLine>[3],
  ctx: InferContext,
  state: AsyncCall['state'] = 'DONE',
): Promise<void> {
  const batch = batchOf((await ctx.runtime.records.get(batchKey(call.batchId)))!);
  await putLine(ctx.runtime, batch, call.line, result);
  await moveTo(call, state, ctx);
  await finishLine(door, batch, call.line, ctx);
}

async function moveTo(call: AsyncCall, state: AsyncCall['state'], ctx: InferContext): Promise<void> {
  await ctx.runtime.records.put(callRecord({ ...call, state }));
}

/** Counts a line that has its result, once, and ends the batch with the last one. Line -1 counts nothing. */
export async function finishLine(
  door: Door,
  batch: AsyncBatch,
  line: number,
  ctx: InferContext,
): Promise<void> {
  const { records } = ctx.runtime;
  let item: RecordItem | undefined;
  try {
    item =
      line < 0
        ? await records.get(batchKey(batch.batchId))
        : await records.update(
            batchKey(batch.batchId),
            { set: { [`done#${line}`]: 1 }, add: { outstanding: -1 } },
            { condition: { attribute: `done#${line}`, exists: false } },
          );
  } catch (error) {
    if (!isError(error, 'Conflict')) throw error;
    item = (error.data.current as RecordItem | null) ?? undefined;
  }
  if (item && outstandingOf(item) === 0 && !batchOf(item).output) await endBatch(door, item, ctx);
}

/** The trace of a line that needed no call. */
const NO_CALL: InferTrace = {
  attempts: 0,
  cached: true,
  latencyMs: 0,
  queuedMs: 0,
  costMicros: 0,
  savedMicros: 0,
  attemptIds: [],
};

/** Assembles the results, gives the money back and answers the token. */
async function endBatch(door: Door, item: RecordItem, ctx: InferContext): Promise<void> {
  const { runtime, registry } = ctx;
  const batch = batchOf(item);
  const counts: BatchCounts = { total: 0, ok: 0, rejected: 0, failed: 0, cached: 0 };
  const rejects: InferReject[] = [];
  const lines: { id: string; cached: boolean; savedMicros?: number }[] = [];
  async function* results() {
    for await (const { result, ...known } of linesOf(runtime, batch.batchId)) {
      counts.total++;
      counts[result.status]++;
      if (known.cached) counts.cached++;
      lines.push({ id: result.id, ...known });
      if (result.status !== 'ok') rejects.push(rejectOf(result, batch.stage));
      yield result;
    }
  }
  const options = { tags: { keep: 'work' } };
  const written = await writeJsonl(runtime.artifacts, `${batch.prefix}/results.jsonl`, results(), options);
  const rejected = await writeJsonl(runtime.artifacts, `${batch.prefix}/rejects.jsonl`, rejects, options);
  await closeLease(runtime, registry, batch.jobId, batch.batchId);
  const rows = await rowsOfLease(runtime.records, batch.jobId, batch.batchId);
  const byRequest = tracesOfRows(rows);
  const traces = lines.map((line) => ({ ...(byRequest.get(line.id) ?? NO_CALL), ...line }));
  await writeJsonl(runtime.artifacts, tracesKey(batch.prefix), traces, options);
  const output: BatchOutput = {
    results: written,
    rejects: rejected,
    counts,
    costMicros: rows.reduce((sum, row) => sum + row.costMicros, amounts().micros),
    done: true,
  };
  try {
    await runtime.records.update(
      batchKey(batch.batchId),
      { set: { batch: { ...batch, output } as unknown as Json }, g1: endedIndex(batch.batchId) },
      { ifVersion: item.version },
    );
  } catch (error) {
    // Another delivery ended it, or a new token came: whoever wrote last answers.
    if (!isError(error, 'Conflict')) throw error;
    const current = error.data.current as RecordItem | null;
    if (current && !batchOf(current).output) await endBatch(door, current, ctx);
    return;
  }
  try {
    await runtime.workflows.sendTaskSuccess(batch.taskToken, output as unknown as Json);
  } catch (error) {
    // Nobody waits any more: the execution ended or was given another token.
    if (!isError(error, 'Conflict') && !isError(error, 'InvalidInput')) throw error;
  }
  door.metrics.flush(runtime, { jobId: batch.jobId });
}
