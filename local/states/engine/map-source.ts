import type { Artifacts, Json } from '#shared/storage/ports.ts';
import { Batcher, openItems, type Item, type ReaderCursor } from '../maprun/index.ts';
import type { MapRunPlan } from './model.ts';

/** One child to be: its input, how many items it holds, and where reading goes on after it. */
export interface Prepared {
  input: Json;
  count: number;
  cursor: ReaderCursor;
}

/** The children of a map run, in order, after a cursor: items, selected and batched. */
export async function* prepare(
  plan: MapRunPlan,
  cursor: ReaderCursor,
  artifactsOf: (bucket: string) => Artifacts,
  select: (item: Item) => Json | Promise<Json>,
): AsyncGenerator<Prepared> {
  const items = plan.reader
    ? openItems(plan.reader.options, plan.reader.arguments, artifactsOf, cursor)
    : givenItems(plan.items ?? [], cursor);
  const batcher = plan.batch && new Batcher(plan.batch, cursor.index);
  /** Cursors of the items in the batcher. */
  const pending: ReaderCursor[] = [];
  for await (const item of items) {
    const selected = await select(item);
    if (!batcher) {
      yield { input: selected, count: 1, cursor: item.cursor };
      continue;
    }
    pending.push(item.cursor);
    for (const batch of batcher.add(selected)) yield batched(batch, pending);
  }
  for (const batch of batcher?.flush() ?? []) yield batched(batch, pending);
}

function batched(batch: { input: Json; count: number }, pending: ReaderCursor[]): Prepared {
  const cursors = pending.splice(0, batch.count);
  return { input: batch.input, count: batch.count, cursor: cursors[cursors.length - 1]! };
}

/** Elements of `Items`, or its members as key and value where it is an object. */
function* givenItems(items: Json, cursor: ReaderCursor): Generator<Item> {
  const entries: { value: Json; key?: string }[] = Array.isArray(items)
    ? items.map((value) => ({ value }))
    : Object.entries(items as { [key: string]: Json }).map(([key, value]) => ({ key, value }));
  for (let index = cursor.index; index < entries.length; index++) {
    yield { index, ...entries[index]!, source: 'STATE_DATA', cursor: { index: index + 1 } };
  }
}

/** What a child is given for an item where there is no `ItemSelector`. */
export const itemInput = (item: Item): Json =>
  item.key === undefined ? item.value : { Key: item.key, Value: item.value };
