import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { Json, RecordItem } from '#shared/storage/ports.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { isError } from '#shared/task/errors.ts';
import { amounts } from '../../budget/item.ts';
import { closeLease, rowsOfLease } from '../../budget/sweep.ts';
import type { InferContext } from '../../context.ts';
import { CODES } from '../../door/codes.ts';
import type { Door } from '../../door/door.ts';
import type { InferResult, InferTrace } from '../../types.ts';
import { rejectOf, type InferReject } from '../assemble.ts';
import type { BatchCounts, BatchOutput } from '../checkpoint.ts';
import { EarlyStop } from '../early-stop.ts';
import { tracesKey, tracesOfRows } from '../traces.ts';
import {
  batchKey,
  batchOf,
  batchRecord,
  callRecord,
  endedIndex,
  lineKey,
  linesOf,
  outstandingOf,
  putLine,
  type AsyncBatch,
  type AsyncCall,
} from './records.ts';

/** The lines of a batch come to their results, and the last one ends it. */

/** Attribute of the batch's record: a line could not be paid for. */
const UNPAID = 'unpaid';
/** `done#<line>`: the line is counted. */
const doneOf = (line: number): string => `done#${line}`;

export async function finishCall(
  door: Door,
  call: AsyncCall,
  result: InferResult,
  ctx: InferContext,
  state: AsyncCall['state'] = 'DONE',
): Promise<void> {
  const batch = batchOf((await ctx.runtime.records.get(batchKey(call.batchId)))!);
  await putLine(ctx.runtime, batch, call.line, result);
  await moveTo(call, state, ctx);
  await finishLine(door, batch, call.line, ctx);
}

/** Ends a line whose next attempt the budget does not pay: it has no result, and the batch ends in BudgetExhausted. */
export async function leaveUnpaid(
  door: Door,
  call: AsyncCall,
  ctx: InferContext,
  state: AsyncCall['state'],
): Promise<void> {
  const { records } = ctx.runtime;
  const item = await records.update(batchKey(call.batchId), { set: { [UNPAID]: 1 } });
  await moveTo({ ...call, unpaid: true }, state, ctx);
  await finishLine(door, batchOf(item), call.line, ctx);
}

export async function moveTo(call: AsyncCall, state: AsyncCall['state'], ctx: InferContext): Promise<void> {
  await ctx.runtime.records.put(callRecord({ ...call, state }));
}

/** Counts a line that is at its end, once, and ends the batch with the last one. Line -1 counts nothing. */
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
            { set: { [doneOf(line)]: 1 }, add: { outstanding: -1 } },
            { condition: { attribute: doneOf(line), exists: false } },
          );
  } catch (error) {
    if (!isError(error, 'Conflict')) throw error;
    item = (error.data.current as RecordItem | null) ?? undefined;
  }
  if (item && isOver(item)) await endBatch(door, item, ctx);
}

/** All lines are at their end, and nobody has ended the batch. */
const isOver = (item: RecordItem): boolean =>
  outstandingOf(item) === 0 && !batchOf(item).output && !batchOf(item).failure;

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

/** Gives the money back, assembles the results and answers the token: with the output, or with the error that ended it. */
async function endBatch(door: Door, item: RecordItem, ctx: InferContext): Promise<void> {
  const { runtime, registry } = ctx;
  const batch = batchOf(item);
  await closeLease(runtime, registry, batch.jobId, batch.batchId);
  const failure = await failureOf(item, ctx);
  const ended: AsyncBatch = failure
    ? { ...batch, failure }
    : { ...batch, output: await assembled(batch, ctx) };
  try {
    await runtime.records.update(
      batchKey(batch.batchId),
      { set: { batch: ended as unknown as Json }, g1: endedIndex(batch.batchId) },
      { ifVersion: item.version },
    );
  } catch (error) {
    // Another delivery ended it, or a new token came: whoever wrote last answers.
    if (!isError(error, 'Conflict')) throw error;
    const current = error.data.current as RecordItem | null;
    if (current && isOver(current)) await endBatch(door, current, ctx);
    return;
  }
  try {
    await (failure
      ? runtime.workflows.sendTaskFailure(batch.taskToken, failure)
      : runtime.workflows.sendTaskSuccess(batch.taskToken, ended.output as unknown as Json));
  } catch (error) {
    // Nobody waits any more: the execution ended or was given another token.
    if (!isError(error, 'Conflict') && !isError(error, 'InvalidInput')) throw error;
  }
  door.metrics.flush(runtime, { jobId: batch.jobId });
}

/** The house error that a batch ends with: money that ran out, or an endpoint that did not answer most of it. */
async function failureOf(item: RecordItem, ctx: InferContext): Promise<AsyncBatch['failure']> {
  const { batchId, jobId, model, asked } = batchOf(item);
  if (item.attributes[UNPAID]) {
    const cause = `The budget of ${jobId} does not pay for another attempt. Raise it and resume the job.`;
    return { error: 'BudgetExhausted', cause };
  }
  const early = new EarlyStop();
  const counts = asked && new Set(asked);
  let stopped = false;
  for await (const { line, result } of linesOf(ctx.runtime, batchId))
    if (counts?.has(line) ?? true) stopped = early.note(result.status);
  return stopped
    ? { error: 'ModelUnavailable', cause: `The batch at ${model} was stopped: ${early.text}.` }
    : undefined;
}

async function assembled(batch: AsyncBatch, { runtime }: InferContext): Promise<BatchOutput> {
  const counts: BatchCounts = { total: 0, ok: 0, rejected: 0, failed: 0, cached: 0 };
  const rejects: InferReject[] = [];
  const lines: { id: string; cached: boolean; savedMicros?: number }[] = [];
  async function* results() {
    for await (const { line: _line, result, ...known } of linesOf(runtime, batch.batchId)) {
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
  const rows = await rowsOfLease(runtime.records, batch.jobId, batch.batchId);
  const byRequest = tracesOfRows(rows);
  const traces = lines.map((line) => ({ ...(byRequest.get(line.id) ?? NO_CALL), ...line }));
  await writeJsonl(runtime.artifacts, tracesKey(batch.prefix), traces, options);
  return {
    results: written,
    rejects: rejected,
    counts,
    costMicros: rows.reduce((sum, row) => sum + row.costMicros, amounts().micros),
    done: true,
  };
}

/** The lines of a batch that ended with an error that are to be asked again, from 0: without a result, or one that may pass. */
export async function linesToAsk(runtime: Runtime, { batchId, total }: AsyncBatch): Promise<number[]> {
  const asked = new Set(Array.from({ length: total }, (_, line) => line));
  for await (const { line, result } of linesOf(runtime, batchId)) if (!mayPass(result)) asked.delete(line);
  return [...asked];
}

const mayPass = ({ status, error }: InferResult): boolean =>
  status === 'failed' && error !== undefined && CODES[error.code].retryable;

/**
 * Takes up a batch that ended with an error, under a new token, to ask `batch.asked`. It may be repeated where it died
 * in between.
 */
export async function reopenBatch(
  batch: AsyncBatch,
  item: RecordItem,
  { runtime }: InferContext,
): Promise<void> {
  const { records, clock } = runtime;
  const asked = new Set(batch.asked);
  for (const line of asked) await records.delete(lineKey(batch.batchId, line));
  const { attributes, ...record } = batchRecord(batch, clock.now(), asked.size);
  for (let line = 0; line < batch.total; line++) if (!asked.has(line)) attributes[doneOf(line)] = 1;
  await records.put({ ...record, attributes }, { ifVersion: item.version });
}
