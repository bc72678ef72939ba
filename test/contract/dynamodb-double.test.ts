import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterEach, describe, expect, it } from 'vitest';
import { DynamoRecords } from '#shared/storage/aws/dynamodb.ts';
import { failure, localClient, recordingServer } from './support.ts';

/** What no emulator shows: leftovers of batches, throttling, members named `__proto__`, the requests themselves. */
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

type Call = { target: string; input: Record<string, unknown> };

async function double(answer: (call: Call, index: number) => { status?: number; body: unknown }) {
  const calls: Call[] = [];
  const server = await recordingServer((request, response) => {
    const call = {
      target: String(request.headers['x-amz-target']).replace('DynamoDB_20120810.', ''),
      input: JSON.parse(request.body.toString()) as Record<string, unknown>,
    };
    calls.push(call);
    const { status = 200, body } = answer(call, calls.length - 1);
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body));
  });
  const client = new DynamoDBClient({ ...localClient(server.url), maxAttempts: 1 });
  closers.push(async () => {
    client.destroy();
    await server.close();
  });
  const sleeps: number[] = [];
  const clock = { now: () => 1_700_000_000_000, sleep: async (ms: number) => void sleeps.push(ms) };
  return { records: new DynamoRecords(client, 'table', clock), calls, sleeps };
}

const refuse = (name: string) => ({
  status: 400,
  body: { __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: 'double' },
});
const stored = (sk: string, n = 1) => ({ pk: { S: 'p' }, sk: { S: sk }, v: { N: '1' }, n: { N: String(n) } });

describe('DynamoDB adapter on the wire', () => {
  it('asks again for the keys a batch left unread, waiting longer each time', async () => {
    const { records, calls, sleeps } = await double((call, index) => {
      const keys = (call.input['RequestItems'] as Record<string, { Keys: { sk: { S: string } }[] }>)['table']!
        .Keys;
      const [read, ...left] = keys;
      return {
        body: {
          Responses: { table: [stored(read!.sk.S, index)] },
          UnprocessedKeys: left.length > 0 ? { table: { Keys: left } } : {},
        },
      };
    });
    const found = await records.batchGet(['a', 'b', 'c'].map((sk) => ({ pk: 'p', sk })));
    expect(found.map(({ sk }) => sk)).toEqual(['a', 'b', 'c']);
    expect(calls).toHaveLength(3);
    expect(sleeps).toEqual([50, 100]);
  });

  it('gives up on a batch that is never read', async () => {
    const { records } = await double((call) => ({
      body: { Responses: {}, UnprocessedKeys: call.input['RequestItems'] },
    }));
    await failure(records.batchGet([{ pk: 'p', sk: 'a' }]), 'StorageUnavailable');
  });

  it('a put of a new item is one request, conditional on its absence', async () => {
    const { records, calls } = await double(() => ({ body: {} }));
    await records.put({
      pk: 'p',
      sk: 's',
      attributes: { a: 1 },
      g1: { pk: 'x', sk: 'y' },
      ttl: 1_800_000_000,
    });
    expect(calls).toEqual([
      {
        target: 'PutItem',
        input: {
          TableName: 'table',
          Item: {
            a: { N: '1' },
            pk: { S: 'p' },
            sk: { S: 's' },
            v: { N: '1' },
            ttl: { N: '1800000000' },
            gsi1pk: { S: 'x' },
            gsi1sk: { S: 'y' },
          },
          ConditionExpression: 'attribute_not_exists(#n0) OR #n1 <= :v0',
          ExpressionAttributeNames: { '#n0': 'pk', '#n1': 'ttl' },
          ExpressionAttributeValues: { ':v0': { N: '1700000000' } },
        },
      },
    ]);
  });

  it('a put over an existing item reads its version and raises it', async () => {
    const { records, calls } = await double((call, index) =>
      index === 0
        ? refuse('ConditionalCheckFailedException')
        : { body: call.target === 'GetItem' ? { Item: stored('s') } : {} },
    );
    expect(await records.put({ pk: 'p', sk: 's', attributes: { b: 2 } })).toMatchObject({ version: 2 });
    expect(calls.map(({ target }) => target)).toEqual(['PutItem', 'GetItem', 'PutItem']);
    expect(calls[2]!.input['Item']).toMatchObject({ v: { N: '2' } });
  });

  it('an update is one request, whatever it changes', async () => {
    const { records, calls } = await double(() => ({ body: { Attributes: stored('s', 4) } }));
    await records.update(
      { pk: 'p', sk: 's' },
      { set: { a: 'x' }, remove: ['b'], add: { n: 3 } },
      { condition: { attribute: 'n', op: '<', value: 10 } },
    );
    expect(calls).toHaveLength(1);
    expect(calls[0]!.input).toMatchObject({
      UpdateExpression: 'SET #n0 = :v0 REMOVE #n1 ADD #n2 :v1, #n3 :v2',
      ConditionExpression: '(attribute_not_exists(#n4) OR #n4 > :v3) AND #n2 < :v4',
      ExpressionAttributeNames: { '#n0': 'a', '#n1': 'b', '#n2': 'n', '#n3': 'v', '#n4': 'ttl' },
      ReturnValues: 'ALL_NEW',
    });
  });

  it('goes on querying over pages that the filter emptied', async () => {
    const { records, calls } = await double((_, index) => ({
      body:
        index < 2
          ? { Items: [], LastEvaluatedKey: { pk: { S: 'p' }, sk: { S: `k${index}` } } }
          : { Items: [stored('z')] },
    }));
    expect((await records.query({ pk: 'p', limit: 5 })).items).toHaveLength(1);
    expect(calls.map(({ input }) => input['ExclusiveStartKey'])).toEqual([
      undefined,
      { pk: { S: 'p' }, sk: { S: 'k0' } },
      { pk: { S: 'p' }, sk: { S: 'k1' } },
    ]);
    expect(calls.every(({ input }) => input['ConsistentRead'] === true)).toBe(true);
  });

  it('keeps members named __proto__, which hostile documents hold', async () => {
    const value = JSON.parse('{"__proto__":{"admin":true},"b":1}') as never;
    let item: unknown;
    const { records } = await double((call) => {
      if (call.target === 'PutItem') item = call.input['Item'];
      return { body: call.target === 'GetItem' ? { Item: item } : {} };
    });
    await records.put({ pk: 'p', sk: 's', attributes: { value } });
    const read = await records.get({ pk: 'p', sk: 's' });
    expect(JSON.stringify(read!.attributes['value'])).toBe('{"__proto__":{"admin":true},"b":1}');
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  it.each([
    ['ProvisionedThroughputExceededException', 'StorageUnavailable'],
    ['ThrottlingException', 'StorageUnavailable'],
    ['ValidationException', 'InvalidInput'],
    ['AccessDeniedException', 'Defect'],
  ] as const)('%s is %s', async (service, name) => {
    const { records } = await double(() => refuse(service));
    await failure(records.get({ pk: 'p', sk: 's' }), name);
  });

  it('stops trying when an item changes under every attempt', async () => {
    const { records, calls } = await double((call) =>
      call.target === 'GetItem' ? { body: { Item: stored('s') } } : refuse('ConditionalCheckFailedException'),
    );
    await failure(records.put({ pk: 'p', sk: 's', attributes: {} }), 'StorageUnavailable');
    expect(calls.length).toBeLessThan(50);
  });
});
