import type { Queue, QueueMessage } from '#shared/storage/ports.ts';

/** The record shape in which Lambda gives SQS messages to a handler. */
export interface SqsEvent {
  Records: {
    messageId: string;
    receiptHandle: string;
    body: string;
    attributes: { ApproximateReceiveCount: string };
    eventSource: 'aws:sqs';
  }[];
}

export type BatchHandler = (
  event: SqsEvent,
) => Promise<{ batchItemFailures?: { itemIdentifier: string }[] } | void>;

const toEvent = (messages: QueueMessage[]): SqsEvent => ({
  Records: messages.map((message) => ({
    messageId: message.messageId,
    receiptHandle: message.receipt,
    body: message.body,
    attributes: { ApproximateReceiveCount: String(message.receiveCount) },
    eventSource: 'aws:sqs',
  })),
});

/** Feeds a queue's messages to a handler as Lambda's event source mapping does: batches of ten, failures come again. */
export function consume(
  queue: Queue,
  handler: BatchHandler,
  options: { onError(error: unknown): void },
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const messages = await queue.receive({
        max: 10,
        waitSeconds: 20,
        visibilitySeconds: 360,
        signal: stopping.signal,
      });
      if (messages.length === 0) continue;
      let failed: Set<string>;
      try {
        const answer = await handler(toEvent(messages));
        failed = new Set((answer?.batchItemFailures ?? []).map((failure) => failure.itemIdentifier));
      } catch (error) {
        options.onError(error);
        failed = new Set(messages.map((message) => message.messageId));
      }
      for (const message of messages) {
        if (failed.has(message.messageId))
          await queue.changeVisibility(message.receipt, 2 ** Math.min(6, message.receiveCount));
        else await queue.delete(message.receipt);
      }
    }
  };
  const done = loop().catch((error: unknown) => {
    if (!stopping.signal.aborted) options.onError(error);
  });
  return {
    async stop() {
      stopping.abort();
      await done;
    },
  };
}
