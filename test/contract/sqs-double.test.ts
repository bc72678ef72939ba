import { SQSClient } from '@aws-sdk/client-sqs';
import { afterEach, describe, expect, it } from 'vitest';
import { SqsQueue } from '#shared/storage/aws/sqs.ts';
import { failure, localClient, recordingServer } from './support.ts';

/** What the emulator never does: failures of single entries, throttling, stale receipts as SQS reports them. */
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function double(answer: (input: Record<string, unknown>) => { status?: number; body: unknown }) {
  const inputs: Record<string, unknown>[] = [];
  const server = await recordingServer((request, response) => {
    const input = JSON.parse(request.body.toString()) as Record<string, unknown>;
    inputs.push(input);
    const { status = 200, body } = answer(input);
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body));
  });
  const client = new SQSClient({ ...localClient(server.url), maxAttempts: 1, md5: false });
  closers.push(async () => {
    client.destroy();
    await server.close();
  });
  return { queue: new SqsQueue('starts', client, `${server.url}/000000000000/starts`), inputs };
}

const refuse = (name: string, status = 400) => ({
  status,
  body: { __type: `com.amazonaws.sqs#${name}`, message: 'double' },
});

describe('SQS adapter on the wire', () => {
  it('reports the entries of a batch that SQS failed, by their place in the call', async () => {
    const { queue } = await double(() => ({
      body: {
        Successful: [{ Id: '2', MessageId: 'm2', MD5OfMessageBody: '' }],
        Failed: [{ Id: '0', Code: 'InternalError', Message: 'try again', SenderFault: false }],
      },
    }));
    expect(await queue.send([{ body: 'a' }, { body: '' }, { body: 'c' }])).toEqual({
      sent: [{ index: 2, messageId: 'm2' }],
      failed: [
        { index: 1, code: 'InvalidMessageContents', message: 'Message 1 cannot be sent: it is empty.' },
        { index: 0, code: 'InternalError', message: 'try again' },
      ],
    });
  });

  it('splits a batch so that each request stays within 256 KiB', async () => {
    const { queue, inputs } = await double((input) => ({
      body: {
        Successful: (input['Entries'] as { Id: string }[]).map(({ Id }) => ({
          Id,
          MessageId: Id,
          MD5OfMessageBody: '',
        })),
        Failed: [],
      },
    }));
    const { sent } = await queue.send(
      Array.from({ length: 10 }, () => ({ body: 'x'.repeat(100_000), delaySeconds: 3 })),
    );
    expect(sent.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(inputs.map((input) => (input['Entries'] as unknown[]).length)).toEqual([2, 2, 2, 2, 2]);
    expect((inputs[0]!['Entries'] as unknown[])[0]).toMatchObject({ DelaySeconds: 3 });
  });

  it('ignores stale receipts on delete, and reports them as Conflict when extending', async () => {
    const { queue } = await double(() => refuse('ReceiptHandleIsInvalid'));
    await queue.delete('old');
    await failure(queue.changeVisibility('old', 10), 'Conflict');
  });

  it.each([
    ['RequestThrottled', 400, 'StorageUnavailable'],
    ['InternalFailure', 500, 'StorageUnavailable'],
    ['QueueDoesNotExist', 400, 'NotFound'],
  ] as const)('%s is a %i that becomes %s', async (service, status, name) => {
    const { queue } = await double(() => refuse(service, status));
    await failure(queue.receive({ max: 10, waitSeconds: 5 }), name);
  });
});
