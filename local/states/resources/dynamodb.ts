import type { Json, RecordKey, Records, WriteOptions } from '#shared/storage/ports.ts';
import { invalidInput, isError } from '#shared/task/errors.ts';
import { parseCondition, parseUpdate, type Substitutions } from './dynamodb-expressions.ts';
import { fromAttributes, toAttributes } from './dynamodb-values.ts';
import { serviceError, signed } from './errors.ts';

/** A table as the integrations see it: a records port and the names of its key attributes. */
export interface Table {
  records: Records;
  pk: string;
  sk?: string;
  /** Put before partition keys, where several tables share one port. */
  prefix?: string;
}

export type TableOf = (name: string) => Table | undefined;

type Arguments = { [key: string]: Json };

/** `dynamodb:getItem`, `putItem` and `updateItem` on a records port (embedded-platform section 4). */
export async function dynamodb(
  action: string,
  args: Arguments,
  tableOf: TableOf,
  requestId: string,
): Promise<Arguments> {
  const table = tableOf(String(args['TableName']));
  if (!table) {
    const cause = `Requested resource not found: Table: ${String(args['TableName'])} not found ${signed('DynamoDb', 400, requestId)}`;
    throw serviceError('DynamoDB.ResourceNotFoundException', cause);
  }
  try {
    if (action === 'getItem') return await getItem(table, args);
    return action === 'putItem' ? await putItem(table, args) : await updateItem(table, args);
  } catch (error) {
    if (isError(error, 'Conflict')) {
      const cause = `The conditional request failed ${signed('DynamoDb', 400, requestId)}`;
      throw serviceError('DynamoDB.ConditionalCheckFailedException', cause);
    }
    if (isError(error, 'InvalidInput')) {
      throw serviceError(
        'DynamoDB.DynamoDbException',
        `${error.message} ${signed('DynamoDb', 400, requestId)}`,
      );
    }
    throw error;
  }
}

/** Key attributes are attributes too, so that conditions and results have them. */
function keyOf(table: Table, attributes: { [name: string]: Json }): RecordKey {
  const part = (name: string): string => {
    const value = attributes[name];
    if (typeof value === 'string' || typeof value === 'number') return String(value);
    throw invalidInput(`The key attribute '${name}' must be a string or a number.`);
  };
  return { pk: `${table.prefix ?? ''}${part(table.pk)}`, sk: table.sk === undefined ? '#' : part(table.sk) };
}

const members = (args: Arguments, name: string, required = false): Arguments => {
  const value = args[name];
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  if (value === undefined && !required) return {};
  throw invalidInput(`${name} must be an object of attribute values.`);
};

const substitutionsOf = (args: Arguments): Substitutions => ({
  names: members(args, 'ExpressionAttributeNames'),
  values: members(args, 'ExpressionAttributeValues'),
});

function conditionOf(args: Arguments): WriteOptions {
  const text = args['ConditionExpression'];
  return typeof text === 'string' ? { condition: parseCondition(text, substitutionsOf(args)) } : {};
}

function returnValues(args: Arguments, allowed: readonly string[]): string {
  const value = String(args['ReturnValues'] ?? 'NONE');
  if (allowed.includes(value)) return value;
  throw invalidInput(`ReturnValues '${value}' is not supported here: use ${allowed.join(' or ')}.`);
}

async function getItem(table: Table, args: Arguments): Promise<Arguments> {
  const item = await table.records.get(keyOf(table, fromAttributes(members(args, 'Key', true))));
  return item ? { Item: toAttributes(item.attributes) } : {};
}

async function putItem(table: Table, args: Arguments): Promise<Arguments> {
  returnValues(args, ['NONE']);
  const attributes = fromAttributes(members(args, 'Item', true));
  await table.records.put({ ...keyOf(table, attributes), attributes }, conditionOf(args));
  return {};
}

async function updateItem(table: Table, args: Arguments): Promise<Arguments> {
  const wanted = returnValues(args, ['NONE', 'ALL_NEW']);
  const key = fromAttributes(members(args, 'Key', true));
  const change = parseUpdate(String(args['UpdateExpression'] ?? ''), substitutionsOf(args));
  const item = await table.records.update(
    keyOf(table, key),
    { ...change, set: { ...change.set, ...key } },
    conditionOf(args),
  );
  return wanted === 'ALL_NEW' ? { Attributes: toAttributes(item.attributes) } : {};
}
