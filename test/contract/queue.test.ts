import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { expect } from 'vitest';
import { SqsQueue } from '#shared/storage/aws/sqs.ts';
import { embeddedStore } from './embedded.ts';
import { fauxqsServer } from './fauxqs.ts';
import { queueContract } from './queue.contract.ts';
import { localClient } from './support.ts';

queueContract('embedded', async () => {
  const names = Array.from({ length: 20 }, (_, n) => `queue-${n}`);
  const store = await embeddedStore({
    queues: Object.fromEntries(names.map((name) => [name, { maxReceiveCount: 2 }])),
  });
  return {
    queue: async () => {
      const name = names.pop()!;
      return { queue: store.queue(name), deadLetter: store.queue(`${name}-dlq`) };
    },
    close: store.remove,
  };
});

queueContract('SQS (fauxqs)', async () => {
  const { endpoint, bound, close } = await fauxqsServer();
  // The emulator must not be reachable from other machines.
  expect(bound.map(({ address }) => address)).toEqual(['127.0.0.1']);
  const client = new SQSClient(localClient(endpoint));
  let serial = 0;
  const create = async (name: string, Attributes: Record<string, string> = {}): Promise<SqsQueue> => {
    await client.send(new CreateQueueCommand({ QueueName: name, Attributes }));
    return new SqsQueue(name, client, `${endpoint}/000000000000/${name}`);
  };
  return {
    queue: async () => {
      const name = `queue-${++serial}`;
      const deadLetter = await create(`${name}-dlq`);
      const deadLetterTargetArn = `arn:aws:sqs:us-east-1:000000000000:${name}-dlq`;
      const queue = await create(name, {
        RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 }),
      });
      return { queue, deadLetter };
    },
    close: async () => {
      client.destroy();
      await close();
    },
  };
});
