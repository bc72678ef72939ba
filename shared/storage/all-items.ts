import type { RecordItem, RecordQuery, Records } from './ports.ts';

type Whole = Omit<RecordQuery, 'limit' | 'cursor'>;

/**
 * Every page of a list, read one after the other.
 * @param page reads the page that a cursor begins; it is spread into the request, and empty for the first.
 */
export async function* pages<T>(
  page: (from: { cursor?: string }) => Promise<{ items: T[]; cursor?: string }>,
): AsyncGenerator<T[]> {
  let cursor: string | undefined;
  do {
    const { items, cursor: next } = await page(cursor === undefined ? {} : { cursor });
    yield items;
    cursor = next;
  } while (cursor !== undefined);
}

/** What a query finds, a page at a time; an item changed meanwhile may be seen before or after its change. */
export const itemPages = (records: Pick<Records, 'query'>, query: Whole): AsyncGenerator<RecordItem[]> =>
  pages((from) => records.query({ ...query, limit: 1000, ...from }));

/** Everything that a query finds. */
export async function allItems(records: Pick<Records, 'query'>, query: Whole): Promise<RecordItem[]> {
  return (await Array.fromAsync(itemPages(records, query))).flat();
}
