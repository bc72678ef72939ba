import { usageOf } from '../../door/usage.ts';
import type { InferContext } from '../../context.ts';
import type { Door } from '../../door/door.ts';
import { badResult, okResult } from '../../door/result.ts';
import { costOf } from '../../ledger/cost.ts';
import { asyncFailure, readAsyncOutput } from '../../providers/sagemaker-async.ts';
import { priceAt } from '../../registry.ts';
import { decodeOutput, reaskMessages } from '../../structured-output.ts';
import { ProviderError, type LedgerRow, type ModelEntry, type ProviderReply } from '../../types.ts';
import { noteOutcome } from './admission.ts';
import { again, failCall, loseCall, settleRow } from './attempt.ts';
import { finishCall, finishLine } from './lines.ts';
import {
  batchKey,
  batchOf,
  callKey,
  callOf,
  firstOrdinal,
  hasLine,
  requestOf,
  type AsyncCall,
} from './records.ts';

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
    const unpaid = call.unpaid && call.ordinal >= firstOrdinal(batch);
    if (unpaid || (await hasLine(runtime, call.batchId, call.line)))
      await finishLine(door, batch, call.line, ctx);
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
  const waiting = call.state !== 'REFUSED' && failureReason === undefined && !expired;
  if (outcome.state === 'pending' && waiting) return false;
  if (call.state === 'REFUSED' && outcome.state === 'pending') {
    if (runtime.clock.now() < (call.retryAt ?? 0)) return false;
    const { code, message, billed } = call.refused!;
    await failCall(door, call, new ProviderError(code, message, { billed }), ctx);
    return true;
  }
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
  const settled = await settleRow(
    door,
    row,
    ctx,
    { request, text: reply.text, repairs: decoded.repairs },
    () => noteOutcome(door, model, call, { usage }),
  );
  if (kept) return finishCall(door, call, okResult(request, key, kept.answer), ctx);
  const bad = decoded as typeof decoded & { ok: false };
  if ((bad.code === 'PARSE_ERROR' || bad.code === 'SCHEMA_INVALID') && !call.reask) {
    const sent = { ...request, messages: reaskMessages(request, bad.raw, bad.errors) };
    const { failures = {} } = call;
    return again(door, { ...call, row: settled }, model, { request, sent, reask: true, failures }, ctx);
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
