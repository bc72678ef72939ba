import { readJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Json } from '#shared/storage/ports.ts';
import { invalidInput, isError, modelUnavailable } from '#shared/task/errors.ts';
import { amounts, sumOf } from '../../budget/item.ts';
import { holdLease } from '../../budget/sweep.ts';
import type { InferContext } from '../../context.ts';
import type { Door } from '../../door/door.ts';
import { okResult } from '../../door/result.ts';
import { cacheRow } from '../../ledger/cache-row.ts';
import { needOf } from '../../ledger/cost.ts';
import { asyncExpiry } from '../../providers/sagemaker-async.ts';
import { priceAt } from '../../registry.ts';
import { checkRequest, MAX_REQUEST_LINE_BYTES } from '../../request-schema.ts';
import { checkSchemas } from '../../structured-output.ts';
import type { InferRequest, ModelEntry } from '../../types.ts';
import { unfinished, type BatchOutput } from '../checkpoint.ts';
import { EarlyStop } from '../early-stop.ts';
import { watchForStop } from '../stop.ts';
import { keyIn, submitCall } from './attempt.ts';
import { finishLine, linesToAsk, reopenBatch } from './lines.ts';
import {
  attemptIdOf,
  batchIdOf,
  batchKey,
  batchOf,
  batchRecord,
  firstOrdinal,
  hasLine,
  heartbeatIndex,
  ignoreConflict,
  putLine,
  type AsyncBatch,
} from './records.ts';

const MAX_LINES = 1000;

/** The asynchronous model that a file of requests asks, or undefined when it asks direct ones. */
export async function asyncModelOf(
  requests: ArtifactRef,
  ctx: InferContext,
): Promise<ModelEntry | undefined> {
  for await (const { value } of readJsonl(ctx.runtime.artifacts, requests.key, {
    maxBytes: MAX_REQUEST_LINE_BYTES,
  })) {
    const model = ctx.registry.models.get(String((value as InferRequest | null)?.model));
    // One that is disabled is refused as any other.
    return model?.enabled && model.provider === 'sagemaker-async' ? model : undefined;
  }
  return undefined;
}

/**
 * Submits a batch to an asynchronous endpoint and returns; completions end it and answer `taskToken`
 * (`completeCall`). Repeating it, with the same or a new token, submits what is missing and nothing twice; a batch that
 * ended with an error goes on with its lines that have no answer.
 * @returns an output that is not done where limits left no time for all of it: the same call again goes on.
 * @throws InvalidInput for a bad line, a repeated id, mixed models or more than 1,000 lines; BudgetExhausted when the
 *   worst case of the whole batch cannot be reserved; ModelUnavailable while the breaker stays open or when most lines
 *   are refused; Cancelled.
 */
export async function submitBatch(
  door: Door,
  input: { requests: ArtifactRef; prefix: string; taskToken: string },
  model: ModelEntry,
  ctx: InferContext,
): Promise<BatchOutput | undefined> {
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
  const found = await records.get(batchKey(batchId));
  const known = found && batchOf(found);
  if (known?.output) {
    await runtime.workflows.sendTaskSuccess(input.taskToken, known.output as unknown as Json);
    return undefined;
  }
  const hold = (lines: InferRequest[], once: string): Promise<void> => {
    const price = priceAt(model, clock.now());
    const more = lines.reduce((sum, request) => sumOf(sum, needOf(request, model, price)), amounts());
    return holdLease(runtime, ctx.jobId, { id: batchId, more, until: asyncExpiry(model, clock.now()), once });
  };
  if (!found) {
    // Money first: a batch that cannot be paid for leaves nothing behind.
    await hold(requests, 'all');
    await records
      .put(batchRecord(batch, clock.now(), requests.length), { ifAbsent: true })
      .catch(ignoreConflict);
  } else if (known!.failure && known!.taskToken === input.taskToken) {
    // The same task once more: its answer may not have come through.
    await runtime.workflows.sendTaskFailure(input.taskToken, known!.failure);
    return undefined;
  } else if (known!.failure) {
    Object.assign(batch, { turn: (known!.turn ?? 0) + 1, asked: await linesToAsk(runtime, known!) });
    const lines = batch.asked!.map((line) => requests[line]!);
    if (lines.length > 0) await hold(lines, `turn ${batch.turn}`);
    await reopenBatch(batch, found, ctx);
  } else {
    if (known!.turn !== undefined) Object.assign(batch, { turn: known!.turn, asked: known!.asked });
    const g1 = heartbeatIndex(batchId, clock.now());
    await records.update(batchKey(batchId), { set: { batch: batch as unknown as Json }, g1 });
  }
  let stopped: Error | undefined;
  const watch = watchForStop(runtime, ctx.jobId, ctx.signal, (reason) => (stopped = reason));
  try {
    await submitLines(door, batch, requests, model, { ...ctx, signal: watch.signal }, () => stopped);
    return undefined;
  } catch (error) {
    if (!isError(error, 'DeadlineExceeded')) throw error;
    return unfinished(input.prefix, { total: 0, ok: 0, rejected: 0, failed: 0, cached: 0 }, 0);
  } finally {
    watch.dispose();
  }
}

/** Submits the lines that nobody has, and gives those from the cache that are there. @throws as submitBatch. */
async function submitLines(
  door: Door,
  batch: AsyncBatch,
  requests: InferRequest[],
  model: ModelEntry,
  ctx: InferContext,
  stopped: () => Error | undefined,
): Promise<void> {
  const { runtime } = ctx;
  const { batchId } = batch;
  const ordinal = firstOrdinal(batch);
  const early = new EarlyStop();
  if (requests.length === 0 || batch.asked?.length === 0) return finishLine(door, batch, -1, ctx);
  for (const [line, request] of requests.entries()) {
    const reason = stopped();
    if (reason) throw reason;
    if (await hasLine(runtime, batchId, line)) {
      await finishLine(door, batch, line, ctx);
      continue;
    }
    const key = keyIn(batch, request, model);
    const hit = (request.cache ?? 'use') === 'use' ? await door.cache.get(key) : undefined;
    if (hit) {
      // The id is the line's, so that a submission that is repeated counts the hit once.
      const attemptId = attemptIdOf(batchId, line, ordinal);
      await door.ledger.write(cacheRow(request, ctx, key, hit, attemptId), attemptId.at(-1));
      door.metrics.add(
        { workflow: ctx.workflow, model: hit.answer.model, provider: hit.answer.provider },
        'CacheHits',
      );
      await putLine(runtime, batch, line, okResult(request, key, hit.answer), hit.costMicros);
      await finishLine(door, batch, line, ctx);
      continue;
    }
    const attempt = { line, ordinal, request, sent: request, reask: false };
    const ended = await submitCall(door, batch, model, attempt, ctx);
    if (ended && early.note(ended))
      throw modelUnavailable(`The batch at ${model.name} was stopped: ${early.text}.`);
  }
}

async function readAll(ref: ArtifactRef, model: ModelEntry, ctx: InferContext): Promise<InferRequest[]> {
  const requests: InferRequest[] = [];
  const seen = new Set<string>();
  for await (const { line, value } of readJsonl(ctx.runtime.artifacts, ref, {
    maxBytes: MAX_REQUEST_LINE_BYTES,
  })) {
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
