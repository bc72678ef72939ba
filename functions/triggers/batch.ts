import middy, { type MiddlewareObj } from '@middy/core';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Logger } from '#shared/task/context.ts';
import { currentRuntime, type Runtime } from '#shared/task/runtime.ts';
import { triggerLog } from './trigger-log.ts';

/** Queue batches whose messages succeed and fail one by one (middy 7 has no middleware for it). */

export interface MessageContext {
  runtime: Runtime;
  log: Logger;
}
export type MessageHandler = (record: SQSRecord, context: MessageContext) => Promise<void>;
export type BatchHandler = (event: SQSEvent, context?: unknown) => Promise<SQSBatchResponse>;

type Settled = PromiseSettledResult<void>[];
type Middleware = MiddlewareObj<SQSEvent, Settled | SQSBatchResponse, Error>;

/** Turns what became of each message into the answer that makes the queue keep only the failed ones. */
export const batchItemFailures = (): Middleware => ({
  after(request) {
    const results = request.response as Settled;
    request.response = {
      batchItemFailures: request.event.Records.filter(
        (_, index) => results[index]?.status !== 'fulfilled',
      ).map(({ messageId }) => ({ itemIdentifier: messageId })),
    };
  },
});

/** A Lambda that handles each message of a batch by itself; one that throws is delivered again. */
export function batchTask(task: string, handle: MessageHandler): BatchHandler {
  const run = async (event: SQSEvent): Promise<Settled> => {
    const runtime = await currentRuntime();
    const { log, writeMetrics } = triggerLog(runtime, task);
    const results = await Promise.allSettled(
      event.Records.map((record) =>
        handle(record, { runtime, log: log.with({ messageId: record.messageId }) }),
      ),
    );
    results.forEach((result, index) => {
      if (result.status === 'fulfilled') return;
      const { messageId } = event.Records[index]!;
      log.error('A message failed; it is delivered again.', { messageId, error: result.reason as unknown });
    });
    writeMetrics();
    return results;
  };
  const handler = middy<SQSEvent, Settled | SQSBatchResponse, Error>({ timeoutEarlyInMillis: 0 })
    .use(batchItemFailures())
    .handler(run as never);
  return async (event, context = {}) => (await handler(event, context as never)) as SQSBatchResponse;
}
