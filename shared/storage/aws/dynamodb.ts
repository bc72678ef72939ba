import {
  type AttributeValue,
  BatchGetItemCommand,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Clock } from '#shared/determinism/clock.ts';
import { isError, storageUnavailable } from '#shared/task/errors.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import type {
  RecordChange,
  RecordItem,
  RecordKey,
  RecordPage,
  RecordPut,
  RecordQuery,
  Records,
  WriteOptions,
} from '../ports.ts';
import {
  checkBatch,
  checkChange,
  checkCondition,
  checkItemSize,
  checkPut,
  checkQuery,
  checkRecordKey,
  preconditionProblem,
  recordConflict,
  RESERVED_ATTRIBUTES,
  storableAttributes,
} from '../record-rules.ts';
import { fromAttributeValue, toAttributeMap } from './attribute-values.ts';
import { awsError, calling } from './errors.ts';
import { Expressions, INDEXES } from './record-expressions.ts';

type StoredItem = Record<string, AttributeValue>;

/** How often a write is tried again because the item changed between reading and writing it. */
const MAX_RACES = 20;
const MAX_BATCH_TRIES = 8;

const keyOf = ({ pk, sk }: RecordKey): StoredItem => ({ pk: { S: pk }, sk: { S: sk } });

function itemOf(stored: StoredItem): RecordItem {
  const text = (name: string): string => stored[name]?.S ?? '';
  const attributes = Object.entries(stored).filter(([name]) => !RESERVED_ATTRIBUTES.has(name));
  return {
    pk: text('pk'),
    sk: text('sk'),
    attributes: Object.fromEntries(attributes.map(([name, value]) => [name, fromAttributeValue(value)])),
    version: Number(stored['v']?.N ?? 1),
    ...(stored['ttl']?.N === undefined ? {} : { ttl: Number(stored['ttl'].N) }),
    ...(stored['gsi1pk'] === undefined ? {} : { g1: { pk: text('gsi1pk'), sk: text('gsi1sk') } }),
    ...(stored['gsi2pk'] === undefined ? {} : { g2: { pk: text('gsi2pk'), sk: text('gsi2sk') } }),
  };
}

/**
 * The records port on one DynamoDB table (`pk`, `sk`, indexes `gsi1` and `gsi2`; docs/storage.md). Every write is one
 * conditional request to one item. Not BatchWriteItem: it cannot raise versions.
 */
export class DynamoRecords implements Records {
  readonly #client: DynamoDBClient;
  readonly #table: string;
  readonly #clock: Clock;

  constructor(client: DynamoDBClient, table: string, clock: Clock) {
    this.#client = client;
    this.#table = table;
    this.#clock = clock;
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1000);
  }

  #isLive(item: RecordItem): boolean {
    return item.ttl === undefined || item.ttl > this.#seconds();
  }

  async #read(key: RecordKey): Promise<{ stored: boolean; current: RecordItem | undefined }> {
    const { Item } = await calling('DynamoDB GetItem', () =>
      this.#client.send(
        new GetItemCommand({ TableName: this.#table, Key: keyOf(key), ConsistentRead: true }),
      ),
    );
    const item = Item && itemOf(Item);
    return { stored: item !== undefined, current: item && this.#isLive(item) ? item : undefined };
  }

  /** Runs a conditional write; false when its condition failed. */
  async #conditional(what: string, write: () => Promise<unknown>): Promise<boolean> {
    try {
      await write();
      return true;
    } catch (error) {
      const mapped = awsError(error, `DynamoDB ${what}`);
      if (isError(mapped, 'Conflict')) return false;
      throw mapped;
    }
  }

  #contended(key: RecordKey): Error {
    return storageUnavailable(
      `The record ${key.pk} / ${key.sk} changed ${MAX_RACES} times while it was being written.`,
    );
  }

  async get(key: RecordKey): Promise<RecordItem | undefined> {
    checkRecordKey(key);
    return (await this.#read(key)).current;
  }

  async put(item: RecordPut, options: WriteOptions = {}): Promise<RecordItem> {
    checkPut(item);
    if (options.condition) checkCondition(options.condition);
    const attributes = storableAttributes(item.attributes);
    checkItemSize(item, JSON.stringify(attributes));
    // Most puts are of new items, or of the version named: those are tried without reading first.
    let current: RecordItem | undefined;
    let known = options.condition === undefined;
    for (let race = 0; race < MAX_RACES; race++) {
      if (!known) current = (await this.#read(item)).current;
      const problem = known && race === 0 ? undefined : preconditionProblem(options, current);
      if (problem !== undefined) throw recordConflict(item, problem, current);
      const expected =
        known && race === 0 && options.ifVersion !== undefined ? options.ifVersion : current?.version;
      const written = await this.#replace(item, attributes, expected);
      if (written) return written;
      known = false;
    }
    throw this.#contended(item);
  }

  /** Writes a whole item over the given version (undefined: over none); undefined when it is not at that version. */
  async #replace(
    item: RecordPut,
    attributes: RecordItem['attributes'],
    expected: number | undefined,
  ): Promise<RecordItem | undefined> {
    const { pk, sk, ttl, g1, g2 } = item;
    const next: RecordItem = {
      pk,
      sk,
      attributes,
      version: (expected ?? 0) + 1,
      ...(ttl === undefined ? {} : { ttl }),
      ...(g1 === undefined ? {} : { g1: { pk: g1.pk, sk: g1.sk } }),
      ...(g2 === undefined ? {} : { g2: { pk: g2.pk, sk: g2.sk } }),
    };
    const expressions = new Expressions(this.#seconds());
    const condition =
      expected === undefined
        ? `${expressions.absent()} OR ${expressions.expired()}`
        : `${expressions.version(expected)} AND ${expressions.unexpired()}`;
    const done = await this.#conditional('PutItem', () =>
      this.#client.send(
        new PutItemCommand({
          TableName: this.#table,
          Item: storedOf(next),
          ConditionExpression: condition,
          ...expressions.maps,
        }),
      ),
    );
    return done ? next : undefined;
  }

  async update(key: RecordKey, change: RecordChange, options: WriteOptions = {}): Promise<RecordItem> {
    checkChange(key, change);
    if (options.condition) checkCondition(options.condition);
    checkItemSize(key, JSON.stringify(change.set ?? {}));
    for (let race = 0; race < MAX_RACES; race++) {
      let updated: StoredItem | undefined;
      const expressions = new Expressions(this.#seconds());
      const UpdateExpression = expressions.update(change);
      const ConditionExpression = expressions.preconditions(options);
      const done = await this.#conditional('UpdateItem', async () => {
        const answer = await this.#client.send(
          new UpdateItemCommand({
            TableName: this.#table,
            Key: keyOf(key),
            UpdateExpression,
            ConditionExpression,
            ReturnValues: 'ALL_NEW',
            ...expressions.maps,
          }),
        );
        updated = answer.Attributes;
      });
      if (done) return itemOf(updated!);
      await this.#explain(key, options);
    }
    throw this.#contended(key);
  }

  /** After a failed condition: throws the Conflict, or clears an expired item out of the way for another try. */
  async #explain(key: RecordKey, options: WriteOptions): Promise<void> {
    const { stored, current } = await this.#read(key);
    const problem = preconditionProblem(options, current);
    if (problem !== undefined) throw recordConflict(key, problem, current);
    if (!stored || current !== undefined) return;
    const expressions = new Expressions(this.#seconds());
    const ConditionExpression = expressions.expired();
    await this.#conditional('DeleteItem', () =>
      this.#client.send(
        new DeleteItemCommand({
          TableName: this.#table,
          Key: keyOf(key),
          ConditionExpression,
          ...expressions.maps,
        }),
      ),
    );
  }

  async delete(key: RecordKey, options: Omit<WriteOptions, 'ifAbsent'> = {}): Promise<void> {
    checkRecordKey(key);
    if (options.condition) checkCondition(options.condition);
    const unconditional = options.ifVersion === undefined && options.condition === undefined;
    for (let race = 0; race < MAX_RACES; race++) {
      const expressions = new Expressions(this.#seconds());
      const ConditionExpression = unconditional ? undefined : expressions.preconditions(options);
      const done = await this.#conditional('DeleteItem', () =>
        this.#client.send(
          new DeleteItemCommand({
            TableName: this.#table,
            Key: keyOf(key),
            ConditionExpression,
            ...expressions.maps,
          }),
        ),
      );
      if (done) return;
      await this.#explain(key, options);
    }
    throw this.#contended(key);
  }

  async query(query: RecordQuery): Promise<RecordPage> {
    const limit = checkQuery(query);
    const index = query.index && INDEXES[query.index];
    const expressions = new Expressions(this.#seconds());
    const KeyConditionExpression = expressions.keyCondition(query);
    const FilterExpression = expressions.unexpired();
    let start = query.cursor === undefined ? undefined : startKey(query, query.cursor);
    const items: RecordItem[] = [];
    do {
      const page = await calling('DynamoDB Query', () =>
        this.#client.send(
          new QueryCommand({
            TableName: this.#table,
            IndexName: index?.name,
            KeyConditionExpression,
            FilterExpression,
            ...expressions.maps,
            ScanIndexForward: !query.descending,
            ConsistentRead: index === undefined,
            // One more than asked for tells whether there is another page.
            Limit: limit + 1 - items.length,
            ExclusiveStartKey: start,
          }),
        ),
      );
      items.push(...(page.Items ?? []).map(itemOf));
      start = page.LastEvaluatedKey;
    } while (start !== undefined && items.length <= limit);
    if (items.length <= limit) return { items };
    items.length = limit;
    return { items, cursor: encodeCursor(query, items[limit - 1]!) };
  }

  async batchGet(keys: RecordKey[]): Promise<RecordItem[]> {
    checkBatch(keys.length, 100, 'keys');
    keys.forEach((key) => checkRecordKey(key));
    const order = [...new Map(keys.map((key) => [JSON.stringify([key.pk, key.sk]), key])).values()];
    const found = new Map<string, RecordItem>();
    let wanted: StoredItem[] = order.map(keyOf);
    for (let attempt = 0; wanted.length > 0; attempt++) {
      if (attempt === MAX_BATCH_TRIES)
        throw storageUnavailable(`DynamoDB left ${wanted.length} keys unread: try again.`);
      if (attempt > 0) await this.#clock.sleep(25 * 2 ** attempt);
      const request = { [this.#table]: { Keys: wanted, ConsistentRead: true } };
      const answer = await calling('DynamoDB BatchGetItem', () =>
        this.#client.send(new BatchGetItemCommand({ RequestItems: request })),
      );
      for (const stored of answer.Responses?.[this.#table] ?? []) {
        const item = itemOf(stored);
        if (this.#isLive(item)) found.set(JSON.stringify([item.pk, item.sk]), item);
      }
      wanted = answer.UnprocessedKeys?.[this.#table]?.Keys ?? [];
    }
    return order.flatMap((key) => found.get(JSON.stringify([key.pk, key.sk])) ?? []);
  }

  async batchPut(items: RecordPut[]): Promise<void> {
    checkBatch(items.length, 25, 'items');
    items.forEach(checkPut);
    // An item named twice ends as its last value, as if put in order.
    const last = new Map(items.map((item) => [JSON.stringify([item.pk, item.sk]), item]));
    await Promise.all([...last.values()].map((item) => this.put(item)));
  }
}

function storedOf(item: RecordItem): StoredItem {
  return {
    ...toAttributeMap(item.attributes),
    ...keyOf(item),
    v: { N: String(item.version) },
    ...(item.ttl === undefined ? {} : { ttl: { N: String(item.ttl) } }),
    ...(item.g1 === undefined ? {} : { gsi1pk: { S: item.g1.pk }, gsi1sk: { S: item.g1.sk } }),
    ...(item.g2 === undefined ? {} : { gsi2pk: { S: item.g2.pk }, gsi2sk: { S: item.g2.sk } }),
  };
}

function startKey(query: RecordQuery, cursor: string): StoredItem {
  const { pk, sk, indexSk } = decodeCursor(query, cursor);
  if (query.index === undefined) return keyOf({ pk, sk });
  const index = INDEXES[query.index];
  return { ...keyOf({ pk, sk }), [index.pk]: { S: query.pk }, [index.sk]: { S: indexSk } };
}
