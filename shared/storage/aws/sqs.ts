import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { conflict } from '#shared/task/errors.ts';
import type { Queue, QueueMessage, SendResult } from '../ports.ts';
import {
  checkReceive,
  checkSend,
  checkVisibility,
  MAX_MESSAGE_BYTES,
  type Sendable,
} from '../queue-rules.ts';
import { calling, serviceErrorName } from './errors.ts';

/** Receipts SQS no longer knows: the message was deleted, or its receipt is from an earlier receive. */
const STALE = new Set(['ReceiptHandleIsInvalid', 'InvalidParameterValue', 'MessageNotInflight']);

const isStale = (error: unknown): boolean => STALE.has(serviceErrorName(error).replace(/^.*[.#]/, ''));

/** The queue port on one SQS standard queue; its dead-letter queue is set up by the deployment. */
export class SqsQueue implements Queue {
  readonly name: string;
  readonly #client: SQSClient;
  readonly #url: string;

  constructor(name: string, client: SQSClient, url: string) {
    this.name = name;
    this.#client = client;
    this.#url = url;
  }

  async send(messages: { body: string; delaySeconds?: number }[]): Promise<SendResult> {
    const { accepted, failed } = checkSend(messages);
    const result: SendResult = { sent: [], failed };
    for (const part of batches(accepted)) {
      const answer = await calling(`SQS SendMessageBatch ${this.name}`, () =>
        this.#client.send(
          new SendMessageBatchCommand({
            QueueUrl: this.#url,
            Entries: part.map(({ index, body, delaySeconds }) => ({
              Id: String(index),
              MessageBody: body,
              ...(delaySeconds === 0 ? {} : { DelaySeconds: delaySeconds }),
            })),
          }),
        ),
      );
      for (const { Id, MessageId } of answer.Successful ?? []) {
        result.sent.push({ index: Number(Id), messageId: MessageId! });
      }
      for (const { Id, Code, Message } of answer.Failed ?? []) {
        result.failed.push({
          index: Number(Id),
          code: Code ?? 'Unknown',
          message: Message ?? 'SQS gave no reason.',
        });
      }
    }
    return result;
  }

  async receive(
    options: { max?: number; waitSeconds?: number; visibilitySeconds?: number; signal?: AbortSignal } = {},
  ): Promise<QueueMessage[]> {
    const { max, waitSeconds, visibilitySeconds } = checkReceive(options);
    if (options.signal?.aborted) return [];
    try {
      const answer = await calling(`SQS ReceiveMessage ${this.name}`, () =>
        this.#client.send(
          new ReceiveMessageCommand({
            QueueUrl: this.#url,
            MaxNumberOfMessages: max,
            WaitTimeSeconds: Math.ceil(waitSeconds),
            VisibilityTimeout: visibilitySeconds,
            MessageSystemAttributeNames: ['ApproximateReceiveCount'],
          }),
          options.signal ? { abortSignal: options.signal } : {},
        ),
      );
      return (answer.Messages ?? []).map((message) => ({
        messageId: message.MessageId!,
        body: message.Body ?? '',
        receipt: message.ReceiptHandle!,
        receiveCount: Number(message.Attributes?.ApproximateReceiveCount ?? 1),
      }));
    } catch (error) {
      if (options.signal?.aborted) return [];
      throw error;
    }
  }

  async delete(receipt: string): Promise<void> {
    await calling(`SQS DeleteMessage ${this.name}`, async () => {
      try {
        await this.#client.send(new DeleteMessageCommand({ QueueUrl: this.#url, ReceiptHandle: receipt }));
      } catch (error) {
        if (!isStale(error)) throw error;
      }
    });
  }

  async changeVisibility(receipt: string, seconds: number): Promise<void> {
    checkVisibility(seconds);
    await calling(`SQS ChangeMessageVisibility ${this.name}`, async () => {
      try {
        await this.#client.send(
          new ChangeMessageVisibilityCommand({
            QueueUrl: this.#url,
            ReceiptHandle: receipt,
            VisibilityTimeout: seconds,
          }),
        );
      } catch (error) {
        if (!isStale(error)) throw error;
        throw conflict('The receipt is stale: the message was deleted or received again.', { cause: error });
      }
    });
  }
}

/** Parts of a batch that together stay below SQS's size limit of a request. */
function batches(messages: Sendable[]): Sendable[][] {
  const parts: Sendable[][] = [];
  let room = 0;
  for (const message of messages) {
    const bytes = Buffer.byteLength(message.body);
    if (bytes > room) {
      parts.push([]);
      room = MAX_MESSAGE_BYTES;
    }
    parts.at(-1)!.push(message);
    room -= bytes;
  }
  return parts;
}
