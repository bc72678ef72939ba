import { createHash } from 'node:crypto';
import type { Json, Queue } from '#shared/storage/ports.ts';
import { serviceError, signed } from './errors.ts';

/** The last part of a queue's URL or ARN; a bare name is itself. */
export const queueNameOf = (url: string): string =>
  url.slice(Math.max(url.lastIndexOf('/'), url.lastIndexOf(':')) + 1);

export type QueueOf = (name: string) => Queue | undefined;

/** `sqs:sendMessage`: bodies that are no text are sent as JSON text. */
export async function sendMessage(
  args: { [key: string]: Json },
  queueOf: QueueOf,
  requestId: string,
): Promise<{ [key: string]: Json }> {
  const { QueueUrl: url, MessageBody: body, DelaySeconds: delay } = args;
  const queue = queueOf(queueNameOf(String(url)));
  if (!queue) {
    const cause = `The specified queue does not exist. ${signed('Sqs', 400, requestId)}`;
    throw serviceError('SQS.QueueDoesNotExistException', cause);
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? null);
  const { sent, failed } = await queue.send([
    { body: text, ...(typeof delay === 'number' ? { delaySeconds: delay } : {}) },
  ]);
  const [refused] = failed;
  if (refused)
    throw serviceError(
      'SQS.SqsException',
      `${refused.code}: ${refused.message} ${signed('Sqs', 400, requestId)}`,
    );
  return { MD5OfMessageBody: createHash('md5').update(text).digest('hex'), MessageId: sent[0]!.messageId };
}
