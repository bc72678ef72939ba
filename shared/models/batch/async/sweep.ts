import { isoTime } from '#shared/determinism/clock.ts';
import { allItems } from '#shared/storage/all-items.ts';
import type { RecordItem } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import type { Door } from '../../door/door.ts';
import { logError } from '../../observability/log.ts';
import { completeCall, type CompletionContext } from './complete.ts';
import {
  batchOf,
  callKey,
  callOf,
  callRecord,
  DUE_CALLS,
  endedIndex,
  heartbeatIndex,
  ignoreConflict,
  LIVE_BATCHES,
} from './records.ts';

const HEARTBEAT_MS = 300_000;

/**
 * What runs every minute for asynchronous calls: looks for outputs whose notification was lost, ends what expired,
 * and keeps the tokens of live batches alive. Returns how many calls it found to be over.
 */
export async function sweepAsync(door: Door, base: CompletionContext): Promise<number> {
  const { runtime } = base;
  const { records, clock } = runtime;
  const now = clock.now();
  let over = 0;
  for await (const item of listed(base, DUE_CALLS, now)) {
    const call = callOf(item);
    let ended = false;
    try {
      ended = await completeCall(door, call.attemptId, base);
    } catch (error) {
      // One call that cannot be treated must not keep the sweep from all others; it is looked at again in time.
      logError(base.runtime, 'An asynchronous call could not be swept and will be looked at again.', {
        jobId: call.row.jobId,
        attemptId: call.attemptId,
        error: (error as Error).name,
      });
    }
    if (ended) {
      over++;
      door.metrics.add(
        { workflow: call.row.workflow, model: call.row.model, provider: call.row.provider },
        'AsyncSwept',
      );
      continue;
    }
    const current = await records.get(callKey(call.attemptId));
    if (!current) continue;
    await records
      .put(callRecord({ ...callOf(current), checks: call.checks + 1 }), { ifVersion: current.version })
      .catch(ignoreConflict);
  }
  for await (const item of listed(base, LIVE_BATCHES, now - HEARTBEAT_MS)) {
    const { batchId, taskToken } = batchOf(item);
    let g1 = heartbeatIndex(batchId, now);
    try {
      await runtime.workflows.sendTaskHeartbeat(taskToken);
    } catch (error) {
      // Nobody waits any more; the answers are still worth caching, so its calls go on. A new token lists it again.
      if (!isError(error, 'Conflict') && !isError(error, 'InvalidInput')) throw error;
      g1 = endedIndex(batchId);
    }
    await records
      .update({ pk: item.pk, sk: item.sk }, { g1 }, { ifVersion: item.version })
      .catch(ignoreConflict);
  }
  door.metrics.flush(runtime);
  return over;
}

/** What an index lists up to a time. All of it is read before any of it is changed. */
async function* listed(
  { runtime }: CompletionContext,
  pk: string,
  until: number,
): AsyncGenerator<RecordItem> {
  const sk = { op: '<=', value: `${isoTime(until)}#~` } as const;
  yield* await allItems(runtime.records, { index: 'g1', pk, sk });
}
