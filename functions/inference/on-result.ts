import { completeCall } from '#shared/models/batch/async/complete.ts';
import { attemptOf } from '#shared/models/batch/async/lookup.ts';
import { doorOf } from '#shared/models/door/doors.ts';
import { logError } from '#shared/models/observability/log.ts';
import { currentRuntime } from '#shared/task/runtime.ts';
import { completionContext } from './completion.ts';
import { readNotification } from './notification.ts';

/** The part of an SQS event that is used. */
export interface QueueEvent {
  Records: { messageId: string; body: string }[];
}

/**
 * Completes asynchronous calls from the results queue: SageMaker's success and error topics and object-created events
 * of both output prefixes. Messages that fail for now are reported back one by one; unknown ones are dropped, because
 * other things may appear under the prefixes.
 */
export async function handler(
  event: QueueEvent,
): Promise<{ batchItemFailures: { itemIdentifier: string }[] }> {
  const runtime = await currentRuntime();
  const door = doorOf(runtime);
  const context = await completionContext(runtime);
  const batchItemFailures: { itemIdentifier: string }[] = [];
  for (const { messageId, body } of event.Records) {
    try {
      const news = readNotification(body);
      const attemptId = news && (await attemptOf(runtime.records, news));
      if (attemptId) await completeCall(door, attemptId, context, news.failureReason);
    } catch (error) {
      batchItemFailures.push({ itemIdentifier: messageId });
      logError(runtime, 'An asynchronous completion failed and will be delivered again.', {
        messageId,
        error: (error as Error).name,
      });
    }
  }
  return { batchItemFailures };
}
