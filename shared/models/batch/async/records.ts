import { isoTime } from '#shared/determinism/clock.ts';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { itemPages } from '#shared/storage/all-items.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Json, RecordItem, RecordPut } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { InferErrorCode, InferRequest, InferResult, LedgerRow } from '../../types.ts';
import type { BatchOutput } from '../checkpoint.ts';

/** Records of batches that wait for an asynchronous endpoint (model-inference section 4). */

export interface AsyncBatch {
  batchId: string;
  jobId: string;
  workflow: string;
  stage: string;
  prefix: string;
  model: string;
  requests: ArtifactRef;
  taskToken: string;
  total: number;
  /** `job` where its answers are kept from other jobs. */
  cacheScope?: 'job';
  /** All lines are known: the batch may end. */
  filled: boolean;
  output?: BatchOutput;
  /** It ended with an error, and goes on with its lines without an answer when it is submitted again. */
  failure?: { error: string; cause: string };
  /** How often it was taken up after such an end, and the lines that were then asked. */
  turn?: number;
  asked?: number[];
}

export interface AsyncCall {
  attemptId: string;
  batchId: string;
  line: number;
  ordinal: number;
  /** `REFUSED`: the endpoint did not take it; the line's next attempt is due at `retryAt`. */
  state: 'SUBMITTING' | 'WAITING' | 'REFUSED' | 'DONE' | 'EXPIRED';
  outputKey: string;
  failureKey: string;
  outputBucket?: string;
  failureBucket?: string;
  submittedAt: number;
  expiresAt: number;
  /** Times the sweep has looked for its output. */
  checks: number;
  row: LedgerRow;
  /** The original request; in an artifact where it is large. */
  request: InferRequest | { artifact: string };
  reask: boolean;
  /** What this attempt was sent, when it is a re-ask. */
  sent?: InferRequest | { artifact: string };
  /** What it took of the limits, for the settlement. */
  taken?: { bytes: number; tokens: number };
  /** It was let through a half-open breaker, which waits for what comes of it. */
  probe?: true;
  /** How often the line's attempts before this one failed, by code. */
  failures?: Partial<Record<InferErrorCode, number>>;
  /** The budget did not pay for the attempt after it. */
  unpaid?: true;
  /** Of a refused one. */
  retryAt?: number;
  refused?: { code: InferErrorCode; billed: 'yes' | 'no' | 'unknown'; message: string };
}

const MAX_INLINE_BYTES = 100_000;
const FIRST_CHECK_MS = 120_000;
const LAST_CHECK_MS = 900_000;

/** Live calls by when the sweep should look at them, and live batches by their last heartbeat. */
export const DUE_CALLS = 'ASYNC#DUE';
export const LIVE_BATCHES = 'BATCH#LIVE';
const ENDED = 'BATCH#ENDED';

export const batchIdOf = (batch: { jobId: string; prefix: string; requests: ArtifactRef }): string =>
  sha256Hex(`${batch.jobId}\n${batch.prefix}\n${batch.requests.key}\n${batch.requests.sha256}`).slice(0, 32);

/** The same line and ordinal always has the same id, so no race submits it twice. */
export const attemptIdOf = (batchId: string, line: number, ordinal: number): string =>
  sha256Hex(`${batchId}\n${line}\n${ordinal}`).slice(0, 32);

export const batchKey = (batchId: string) => ({ pk: `BATCH#${batchId}`, sk: 'META' });
export const callKey = (attemptId: string) => ({ pk: `ASYNC#${attemptId}`, sk: 'CALL' });
export const aliasKey = (objectKey: string) => ({ pk: `ASYNC#${sha256Hex(objectKey)}`, sk: 'ALIAS' });
const lineSk = (line: number): string => `LINE#${String(line).padStart(7, '0')}`;

export const callOf = (item: RecordItem): AsyncCall => item.attributes.call as unknown as AsyncCall;
export const batchOf = (item: RecordItem): AsyncBatch => item.attributes.batch as unknown as AsyncBatch;
export const outstandingOf = (item: RecordItem): number => Number(item.attributes.outstanding ?? 0);

/**
 * When the sweep looks at a call next: 2 minutes after submission, then at doubling intervals up to 15 minutes; at a
 * refused one when the next attempt may go.
 */
export function dueAt(call: AsyncCall): number {
  if (call.state === 'REFUSED') return call.retryAt ?? call.submittedAt;
  let at = call.submittedAt + FIRST_CHECK_MS;
  for (let k = 0, step = FIRST_CHECK_MS; k < call.checks; k++, step = Math.min(step * 2, LAST_CHECK_MS))
    at += step;
  return Math.min(at, Math.max(call.expiresAt, call.submittedAt + FIRST_CHECK_MS));
}

/** A call's record; listed for the sweep while it is live. */
export function callRecord(call: AsyncCall): RecordPut {
  const live = call.state === 'SUBMITTING' || call.state === 'WAITING' || call.state === 'REFUSED';
  return {
    ...callKey(call.attemptId),
    attributes: { call: call as unknown as Json },
    ttl: Math.floor(call.expiresAt / 1000) + 30 * 86_400,
    ...(live ? { g1: { pk: DUE_CALLS, sk: `${isoTime(dueAt(call))}#${call.attemptId}` } } : {}),
  };
}

/** Ordinals of one turn of a batch: more than a line has attempts. */
const TURN = 100;
/** The ordinal of a line's first attempt in this turn. */
export const firstOrdinal = ({ turn = 0 }: AsyncBatch): number => turn * TURN;

/** The record of a batch with lines to ask, live from now on. */
export const batchRecord = (
  batch: AsyncBatch,
  now: number,
  outstanding: number,
): RecordPut & { attributes: Record<string, Json> } => ({
  ...batchKey(batch.batchId),
  attributes: { batch: batch as unknown as Json, outstanding },
  g1: heartbeatIndex(batch.batchId, now),
});

export const heartbeatIndex = (batchId: string, at: number) => ({
  pk: LIVE_BATCHES,
  sk: `${isoTime(at)}#${batchId}`,
});
export const endedIndex = (batchId: string) => ({ pk: ENDED, sk: batchId });

/** For a write that somebody else may have been faster with: theirs stands. */
export function ignoreConflict(error: unknown): void {
  if (!isError(error, 'Conflict')) throw error;
}

/** A request as a call keeps it: in an artifact where it is large. */
export async function keptRequest(
  runtime: Runtime,
  batch: AsyncBatch,
  name: string,
  request: InferRequest,
): Promise<AsyncCall['request']> {
  const text = JSON.stringify(request);
  if (Buffer.byteLength(text) <= MAX_INLINE_BYTES) return request;
  const key = `jobs/${batch.jobId}/async/requests/${batch.batchId}-${name}.json`;
  await runtime.artifacts.put(key, text, { contentType: 'application/json', tags: { keep: 'work' } });
  return { artifact: key };
}

/** The line's request as the batch has it. */
export const requestOf = (runtime: Runtime, call: AsyncCall): Promise<InferRequest> =>
  readKept(runtime, call.request);

/** What the attempt was sent: the line's request, or the re-ask of it. */
export const sentOf = (runtime: Runtime, call: AsyncCall): Promise<InferRequest> =>
  readKept(runtime, call.sent ?? call.request);

async function readKept(runtime: Runtime, kept: AsyncCall['request']): Promise<InferRequest> {
  if (!('artifact' in kept)) return kept;
  return (await readJson(runtime.artifacts, kept.artifact)) as InferRequest;
}

/** A finished line of a batch. */
export interface AsyncLine {
  line: number;
  cached: boolean;
  /** What a cached answer saved. */
  savedMicros?: number;
  result: InferResult | { artifact: string };
}

/** Stores a line's result. @param savedMicros what the cache saved, where the answer came from there. */
export async function putLine(
  runtime: Runtime,
  batch: AsyncBatch,
  line: number,
  result: InferResult,
  savedMicros?: number,
): Promise<void> {
  const text = JSON.stringify(result);
  let kept: AsyncLine['result'] = result;
  if (Buffer.byteLength(text) > MAX_INLINE_BYTES) {
    kept = { artifact: `jobs/${batch.jobId}/async/results/${batch.batchId}-${line}.json` };
    await runtime.artifacts.put(kept.artifact, text, {
      contentType: 'application/json',
      tags: { keep: 'work' },
    });
  }
  const cached = savedMicros !== undefined;
  const attributes = {
    line,
    cached,
    ...(cached ? { savedMicros } : {}),
    result: kept,
  } as unknown as Record<string, Json>;
  await runtime.records.put({ ...lineKey(batch.batchId, line), attributes });
}

export const lineKey = (batchId: string, line: number) => ({ pk: batchKey(batchId).pk, sk: lineSk(line) });

export async function hasLine(runtime: Runtime, batchId: string, line: number): Promise<boolean> {
  return (await runtime.records.get(lineKey(batchId, line))) !== undefined;
}

/** The lines of a batch in order. */
export async function* linesOf(
  runtime: Runtime,
  batchId: string,
): AsyncGenerator<Omit<AsyncLine, 'result'> & { result: InferResult }> {
  const { pk } = batchKey(batchId);
  for await (const page of itemPages(runtime.records, { pk, sk: { prefix: 'LINE#' } })) {
    for (const item of page) {
      const { line, cached, savedMicros, result } = item.attributes as unknown as AsyncLine;
      yield {
        line,
        cached,
        ...(savedMicros === undefined ? {} : { savedMicros }),
        result:
          'artifact' in result
            ? ((await readJson(runtime.artifacts, result.artifact)) as InferResult)
            : result,
      };
    }
  }
}
