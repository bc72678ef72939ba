import { readJsonl } from '#shared/storage/jsonl.ts';
import type { Artifacts, Json } from '#shared/storage/ports.ts';
import { AgentmillError, isError } from '#shared/task/errors.ts';
import { csvItems, CsvTextError } from './csv-items.ts';
import { MapRunFailure, objectUri, readerFailed } from './failure.ts';
import { jsonItems } from './json-items.ts';
import { JsonTextError } from './json-text.ts';
import type { ReaderOptions } from './reader-options.ts';

/** Where reading goes on: after the item that carries it. Plain data. */
export interface ReaderCursor {
  /** Items already given. */
  index: number;
  /** Etag of the object they came from; a changed object cannot be resumed. */
  etag?: string;
  /** The last key of a listing that is done with. */
  after?: string;
  /** Items already given of the first object after `after` (LOAD_AND_FLATTEN). */
  within?: number;
}

/** One item of a dataset. */
export interface Item {
  /** From 0, over the whole dataset. */
  index: number;
  value: Json;
  /** Member name, where the dataset is an object; the child's input is then `{ Key, Value }`. */
  key?: string;
  /** `$states.context.Map.Item.Source`: the address of what was read. */
  source: string;
  /** Pass to `openItems` to go on after this item. */
  cursor: ReaderCursor;
}

interface Sourced {
  value: Json;
  key?: string;
}

/**
 * The items of a Distributed Map's `ItemReader`, read in a stream (embedded-platform section 3): the elements of a
 * JSON, JSONL or CSV object, the objects of a listing, or (LOAD_AND_FLATTEN) the elements of all listed objects.
 * @param evaluated - the reader's evaluated `Arguments`: `{ Bucket, Key }`, or `{ Bucket, Prefix? }` for a listing
 * @param cursor - of the last item that was dealt with, to go on after it
 * @throws MapRunFailure `States.ItemReaderFailed` for absent objects and malformed data, when it is reached
 * @example for await (const item of openItems(options, { Bucket: 'b', Key: 'k' }, artifactsOf)) …
 */
export async function* openItems(
  options: ReaderOptions,
  evaluated: Json,
  artifactsOf: (bucket: string) => Artifacts,
  cursor: ReaderCursor = { index: 0 },
): AsyncGenerator<Item> {
  const bucket = textArgument(evaluated, 'Bucket', true)!;
  const limit = options.maxItems ?? Infinity;
  if (cursor.index >= limit) return;
  const listing = options.resource === 's3:listObjectsV2';
  const name = listing
    ? (textArgument(evaluated, 'Prefix', false) ?? '')
    : textArgument(evaluated, 'Key', true)!;
  const uri = objectUri(bucket, name);
  try {
    const artifacts = artifactsOf(bucket);
    const items = !listing
      ? oneObject(artifacts, name, options, cursor)
      : options.transformation === 'LOAD_AND_FLATTEN'
        ? allObjects(artifacts, name, options, cursor)
        : listedObjects(artifacts, name, cursor);
    let index = cursor.index;
    for await (const { source, at, ...item } of items) {
      yield { index, ...item, source, cursor: { index: index + 1, ...at } };
      index++;
      if (index >= limit) return;
    }
  } catch (error) {
    throw asReaderFailure(error, uri);
  }
}

type Placed = Sourced & { source: string; at: Omit<ReaderCursor, 'index'> };

async function* oneObject(
  artifacts: Artifacts,
  key: string,
  options: ReaderOptions,
  cursor: ReaderCursor,
): AsyncGenerator<Placed> {
  const { etag } = await artifacts.head(key);
  if (cursor.etag !== undefined && cursor.etag !== etag) {
    throw readerFailed(`The object ${objectUri(artifacts.bucket, key)} has changed since reading it began`);
  }
  const source = objectUri(artifacts.bucket, key);
  for await (const item of skip(itemsOf(artifacts, key, options), cursor.index)) {
    yield { ...item, source, at: { etag } };
  }
}

async function* listedObjects(
  artifacts: Artifacts,
  prefix: string,
  cursor: ReaderCursor,
): AsyncGenerator<Placed> {
  for await (const object of list(artifacts, prefix, cursor.after)) {
    const value = {
      Etag: `"${object.etag.replaceAll('"', '')}"`,
      Key: object.key,
      LastModified: object.modified / 1000,
      Size: object.bytes,
      StorageClass: 'STANDARD',
    };
    yield { value, source: objectUri(artifacts.bucket, prefix), at: { after: object.key } };
  }
}

async function* allObjects(
  artifacts: Artifacts,
  prefix: string,
  options: ReaderOptions,
  cursor: ReaderCursor,
): AsyncGenerator<Placed> {
  let after = cursor.after;
  let done = cursor.within ?? 0;
  for await (const object of list(artifacts, prefix, after)) {
    const source = objectUri(artifacts.bucket, object.key);
    for await (const item of skip(itemsOf(artifacts, object.key, options), done)) {
      done++;
      yield { ...item, source, at: { ...(after === undefined ? {} : { after }), within: done } };
    }
    after = object.key;
    done = 0;
  }
}

async function* list(artifacts: Artifacts, prefix: string, from?: string) {
  for (let after = from; ;) {
    const page = await artifacts.list({ prefix, ...(after === undefined ? {} : { after }) });
    yield* page.objects;
    if (page.next === undefined) return;
    after = page.next;
  }
}

async function* itemsOf(artifacts: Artifacts, key: string, options: ReaderOptions): AsyncGenerator<Sourced> {
  try {
    if (options.inputType === 'JSONL') {
      for await (const { value } of readJsonl(artifacts, key)) yield { value: value as Json };
      return;
    }
    const { body } = await artifacts.get(key);
    if (options.inputType === 'CSV') {
      yield* csvItems(body, {
        ...(options.csvHeaders ? { headers: options.csvHeaders } : {}),
        ...(options.csvDelimiter ? { delimiter: options.csvDelimiter } : {}),
      });
    } else yield* jsonItems(body, options.itemsPointer);
  } catch (error) {
    throw asReaderFailure(error, objectUri(artifacts.bucket, key));
  }
}

async function* skip<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let left = count;
  for await (const item of items) {
    if (left > 0) left--;
    else yield item;
  }
}

function textArgument(evaluated: Json, name: string, required: boolean): string | undefined {
  const members =
    typeof evaluated === 'object' && evaluated !== null && !Array.isArray(evaluated) ? evaluated : {};
  const value = Object.hasOwn(members, name) ? members[name] : undefined;
  if (value === undefined && !required) return undefined;
  if (typeof value === 'string' && (value !== '' || !required)) return value;
  throw readerFailed(`The argument '${name}' of the ItemReader must be a non-empty string`);
}

/** The Map state's failure for whatever went wrong while reading an object. Defects stay what they are. */
function asReaderFailure(error: unknown, uri: string): unknown {
  if (error instanceof MapRunFailure) return error;
  if (isError(error, 'NotFound')) {
    return readerFailed(
      `Unable to read ${uri}: The specified key does not exist. (Service: S3, Status Code: 404)`,
      error,
    );
  }
  const data =
    error instanceof JsonTextError || error instanceof CsvTextError || isError(error, 'InvalidInput');
  if (data) return readerFailed(`Unable to parse ${uri}: ${(error as Error).message}`, error);
  if (error instanceof AgentmillError) return readerFailed(`Unable to read ${uri}: ${error.message}`, error);
  return error;
}
