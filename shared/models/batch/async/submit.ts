import { isoTime } from '#shared/determinism/clock.ts';
import { readJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Json } from '#shared/storage/ports.ts';
import { invalidInput, isError } from '#shared/task/errors.ts';
import { amounts, sumOf } from '../../budget/item.ts';
import { holdLease } from '../../budget/sweep.ts';
import { cacheKey, keyedModel } from '../../cache/key.ts';
import type { InferContext } from '../../context.ts';
import { CODES } from '../../door/codes.ts';
import type { Door } from '../../door/door.ts';
import { okResult } from '../../door/result.ts';
import { cacheRow } from '../../ledger/cache-row.ts';
import { needOf } from '../../ledger/cost.ts';
import { OPEN } from '../../ledger/row.ts';
import { backOffMs } from '../../limits/back-off.ts';
import { asyncExpiry, planAsync, submitAsync } from '../../providers/sagemaker-async.ts';
import { priceAt, priceVersionOf } from '../../registry.ts';
import { checkRequest } from '../../request-schema.ts';
import { checkSchemas } from '../../structured-output.ts';
import { ProviderError, type InferRequest, type LedgerRow, type ModelEntry } from '../../types.ts';
import { finishLine, failCall } from './complete.ts';
import {
  aliasKey,
  attemptIdOf,
  batchIdOf,
  batchKey,
  batchOf,
  callKey,
  callOf,
  callRecord,
  hasLine,
  heartbeatIndex,
  keptRequest,
  putLine,
  type AsyncBatch,
  type AsyncCall,
} from './records.ts';

const MAX_LINES = 1000;
const MAX_LINE_BYTES = 1024 * 1024;
const SUBMIT_MS = 60_000;

/** The asynchronous model that a file of requests asks, or undefined when it asks direct ones. */
export async function asyncModelOf(
  requests: ArtifactRef,
  ctx: InferContext,
): Promise<ModelEntry | undefined> {
  for await (const { value } of readJsonl(ctx.runtime.artifacts, requests.key, {
    maxBytes: MAX_LINE_BYTES,
  })) {
    const model = ctx.registry.models.get(String((value as InferRequest | null)?.model));
    // One that is disabled is refused as any other.
    return model?.enabled && model.provider === 'sagemaker-async' ? model : undefined;
  }
  return undefined;
}

/**
 * Submits a batch to an asynchronous endpoint and returns; completions end it and answer `taskToken`
 * (`completeCall`). Repeating it, with the same or a new token, submits what is missing and nothing twice.
 * @throws InvalidInput for a bad line, a repeated id, mixed models or more than 1,000 lines; BudgetExhausted when the
 *   worst case of the whole batch cannot be reserved.
 */
export async function submitBatch(
  door: Door,
  input: { requests: ArtifactRef; prefix: string; taskToken: string },
  model: ModelEntry,
  ctx: InferContext,
): Promise<void> {
  const { runtime } = ctx;
  const { records, clock } = runtime;
  const requests = await readAll(input.requests, model, ctx);
  const batchId = batchIdOf({ ...input, jobId: ctx.jobId });
  const batch: AsyncBatch = {
    batchId,
    jobId: ctx.jobId,
    workflow: ctx.workflow,
    stage: ctx.stage,
    prefix: input.prefix,
    model: model.name,
    requests: input.requests,
    taskToken: input.taskToken,
    total: requests.length,
    filled: true,
    ...(ctx.cacheScope === 'job' ? { cacheScope: 'job' } : {}),
  };
  const g1 = heartbeatIndex(batchId, clock.now());
  const found = await records.get(batchKey(batchId));
  if (found) {
    const output = batchOf(found).output;
    if (output) return runtime.workflows.sendTaskSuccess(input.taskToken, output as unknown as Json);
    await records.update(batchKey(batchId), { set: { batch: batch as unknown as Json }, g1 });
  } else {
    // Money first: a batch that cannot be paid for leaves nothing behind.
    const price = priceAt(model, clock.now());
    const more = requests.reduce((sum, request) => sumOf(sum, needOf(request, model, price)), amounts());
    const until = asyncExpiry(model, clock.now());
    await holdLease(runtime, ctx.jobId, { id: batchId, more, until, once: 'all' });
    await records
      .put(
        {
          ...batchKey(batchId),
          attributes: { batch: batch as unknown as Json, outstanding: requests.length },
          g1,
        },
        { ifAbsent: true },
      )
      .catch((error: unknown) => {
        if (!isError(error, 'Conflict')) throw error;
      });
  }
  if (requests.length === 0) return finishLine(door, batch, -1, ctx);
  for (const [line, request] of requests.entries()) {
    if (await hasLine(runtime, batchId, line)) {
      await finishLine(door, batch, line, ctx);
      continue;
    }
    const key = keyIn(batch, request, model);
    const hit = (request.cache ?? 'use') === 'use' ? await door.cache.get(key) : undefined;
    if (hit) {
      // The id is the line's, so that a submission that is repeated counts the hit once.
      const attemptId = attemptIdOf(batchId, line, 0);
      await door.ledger.write(cacheRow(request, ctx, key, hit, attemptId), attemptId.at(-1));
      door.metrics.add(
        { workflow: ctx.workflow, model: hit.answer.model, provider: hit.answer.provider },
        'CacheHits',
      );
      await putLine(runtime, batch, line, okResult(request, key, hit.answer), hit.costMicros);
      await finishLine(door, batch, line, ctx);
    } else
      await submitCall(door, batch, model, { line, ordinal: 0, request, sent: request, reask: false }, ctx);
  }
}

const keyIn = (batch: AsyncBatch, request: InferRequest, model: ModelEntry): string =>
  cacheKey(request, keyedModel(model), batch.cacheScope === 'job' ? batch.jobId : undefined);

async function readAll(ref: ArtifactRef, model: ModelEntry, ctx: InferContext): Promise<InferRequest[]> {
  const requests: InferRequest[] = [];
  const seen = new Set<string>();
  for await (const { line, value } of readJsonl(ctx.runtime.artifacts, ref, { maxBytes: MAX_LINE_BYTES })) {
    const request = checkRequest(value, `Line ${line} of ${ref.key}`);
    if (request.model !== model.name) {
      throw invalidInput(
        `Line ${line} of ${ref.key} asks ${request.model}: a batch at an asynchronous endpoint asks one model.`,
      );
    }
    if (seen.has(request.id))
      throw invalidInput(`Line ${line} of ${ref.key} repeats the id "${request.id}".`);
    seen.add(request.id);
    checkSchemas(request);
    requests.push(request);
    if (requests.length > MAX_LINES)
      throw invalidInput(`${ref.key} has more than ${MAX_LINES} requests; split it.`);
  }
  return requests;
}

/**
 * Submits one attempt of a line. Its record is written first: who finds it there has been beaten, and does not submit;
 * a process that died between the two leaves it to the sweep, which finds the output or the expiry.
 */
export async function submitCall(
  door: Door,
  batch: AsyncBatch,
  model: ModelEntry,
  attempt: { line: number; ordinal: number; request: InferRequest; sent: InferRequest; reask: boolean },
  ctx: InferContext,
): Promise<void> {
  const { runtime } = ctx;
  const { records, clock } = runtime;
  const { line, ordinal, request, sent, reask } = attempt;
  const attemptId = attemptIdOf(batch.batchId, line, ordinal);
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
    row: openRow(batch, model, attempt, attemptId, now),
    request: await keptRequest(runtime, batch, line, request),
    reask,
  };
  try {
    await records.put(callRecord(call), { ifAbsent: true });
  } catch (error) {
    if (isError(error, 'Conflict')) return;
    throw error;
  }
  await door.ledger.write(call.row);
  for (let k = 1; ; k++) {
    try {
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
      if (current && callOf(current).state === 'SUBMITTING') {
        await records.put(callRecord(waiting), { ifVersion: current.version }).catch((error: unknown) => {
          if (!isError(error, 'Conflict')) throw error;
        });
      }
      return;
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      if (k >= CODES[error.code].attempts) return failCall(door, call, error, ctx);
      await clock.sleep(backOffMs(k, ctx.rng, error.retryAfterMs), ctx.signal);
    }
  }
}

function openRow(
  batch: AsyncBatch,
  model: ModelEntry,
  {
    request,
    sent,
    ordinal,
    reask,
  }: { request: InferRequest; sent: InferRequest; ordinal: number; reask: boolean },
  attemptId: string,
  now: number,
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
    queuedMs: 0,
    startedAt: isoTime(now),
    cacheKey: keyIn(batch, request, model),
  };
}
