import type { Json } from '#shared/storage/ports.ts';
import { JsonText, JsonTextError } from './json-text.ts';

/** One item: an element of an array, or a member of an object with its key. */
export interface JsonItem {
  value: Json;
  /** The member's key, where the dataset is an object. */
  key?: string;
}

/**
 * The items of a JSON text: the elements of the array, or members of the object, at the pointer. The text is read in
 * a stream; what follows the items is still checked to be JSON.
 * @param pointer - JSON Pointer (RFC 6901) to the dataset; empty for the whole text
 * @throws JsonTextError for text that is not JSON, and where the pointer leads nowhere or to neither array nor object
 */
export async function* jsonItems(body: AsyncIterable<Uint8Array>, pointer = ''): AsyncGenerator<JsonItem> {
  const text = new JsonText(body);
  const path = pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  try {
    yield* within(text, path, pointer);
    await text.end();
  } finally {
    await text.close();
  }
}

async function* within(text: JsonText, path: readonly string[], pointer: string): AsyncGenerator<JsonItem> {
  const [wanted, ...rest] = path;
  const open = await text.peek();
  if (open !== '{' && open !== '[') {
    await text.value();
    throw new JsonTextError(missing(pointer, 'neither an array nor an object'));
  }
  await text.take();
  const close = open === '{' ? '}' : ']';
  let found = wanted === undefined;
  for (let index = 0; (await text.peek()) !== close; index++) {
    if (index > 0) await text.expect(',');
    const key = open === '{' ? await memberKey(text) : String(index);
    if (wanted === undefined) {
      const value = (await text.value()) as Json;
      yield open === '{' ? { key, value } : { value };
    } else if (key === wanted && !found) {
      found = true;
      yield* within(text, rest, pointer);
    } else await text.value();
  }
  await text.expect(close);
  if (!found) throw new JsonTextError(missing(pointer, 'nothing'));
}

async function memberKey(text: JsonText): Promise<string> {
  const first = await text.peek();
  if (first !== '"') throw text.unexpected(first, 'a key');
  const key = (await text.value()) as string;
  await text.expect(':');
  return key;
}

const missing = (pointer: string, what: string): string =>
  `Attempting to map over non-iterable node: ${pointer === '' ? 'the dataset' : `ItemsPointer '${pointer}'`} is ${what}`;
