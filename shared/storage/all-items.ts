import type { RecordItem, RecordQuery, Records } from './ports.ts';

type Whole = Omit<RecordQuery, 'limit' | 'cursor'>;

/** What a query finds, a page at a time; an item changed meanwhile may be seen before or after its change. */
export async function* itemPages(
  records: Pick<Records, 'query'>,
  query: Whole,
): AsyncGenerator<RecordItem[]> {
  let cursor: string | undefined;
  do {
    const page = await records.query({ ...query, limit: 1000, ...(cursor === undefined ? {} : { cursor }) });
    yield page.items;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/** Everything that a query finds. */
export async function allItems(records: Pick<Records, 'query'>, query: Whole): Promise<RecordItem[]> {
  return (await Array.fromAsync(itemPages(records, query))).flat();
}
