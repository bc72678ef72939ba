import type { RecordItem, RecordQuery, Records } from '#shared/storage/ports.ts';
import type { Job, JobStatus } from './jobs.ts';

/** Lists of jobs, newest first, over the two indexes. */

export interface JobQuery {
  /** One owner's jobs; absent: everybody's, of the given workflows. */
  owner?: string;
  /** Which workflows; needed where no owner is given. */
  workflows?: readonly string[];
  status?: JobStatus;
  /** ISO time: only jobs created then or later. */
  since?: string;
  /** 1..100, default 25. */
  limit?: number;
  /** The sort key of the last job of the page before: only older ones follow, so jobs added meanwhile shift nothing. */
  after?: string;
}

export interface JobPage {
  items: Job[];
  /** Pass as `after`; absent on the last page. */
  next?: string;
}

const PAGE = 100;
/** Items read for one page at most: a rare status in a long list is found over several pages. */
const MAX_READ = 1_000;

/** One index partition read downwards from a sort key, page by page. */
async function* descending(
  records: Records,
  index: Pick<RecordQuery, 'index' | 'pk'>,
  query: JobQuery,
): AsyncGenerator<RecordItem> {
  let below = query.after;
  for (;;) {
    const page = await records.query({
      ...index,
      descending: true,
      limit: PAGE,
      ...(below === undefined
        ? query.since === undefined
          ? {}
          : { sk: { op: '>=' as const, value: query.since } }
        : { sk: { op: '<' as const, value: below } }),
    });
    for (const item of page.items) {
      const sk = item[index.index ?? 'g1']?.sk ?? '';
      if (query.since !== undefined && sk < query.since) return;
      below = sk;
      yield item;
    }
    if (page.items.length === 0 || page.cursor === undefined) return;
  }
}

/** Merges descending streams into one. */
async function* merged(streams: AsyncGenerator<RecordItem>[], keyOf: (item: RecordItem) => string) {
  const heads: { item: RecordItem; stream: AsyncGenerator<RecordItem> }[] = [];
  const pull = async (stream: AsyncGenerator<RecordItem>): Promise<void> => {
    const next = await stream.next();
    if (!next.done) heads.push({ item: next.value, stream });
  };
  await Promise.all(streams.map(pull));
  while (heads.length > 0) {
    let best = 0;
    heads.forEach((head, index) => {
      if (keyOf(head.item) > keyOf(heads[best]!.item)) best = index;
    });
    const [head] = heads.splice(best, 1);
    yield head!.item;
    await pull(head!.stream);
  }
}

/** One page of jobs. `toJob` makes the public job of an item. */
export async function listJobs(
  records: Records,
  query: JobQuery,
  toJob: (item: RecordItem) => Promise<Job>,
): Promise<JobPage> {
  const { limit = 25 } = query;
  const index = query.owner === undefined ? 'g2' : 'g1';
  const partitions =
    query.owner === undefined
      ? (query.workflows ?? []).map((name) => `WORKFLOW#${name}`)
      : [`OWNER#${query.owner}`];
  const streams = partitions.map((pk) => descending(records, { index, pk }, query));
  const keyOf = (item: RecordItem): string => item[index]?.sk ?? '';
  const wanted: RecordItem[] = [];
  let read = 0;
  let last: string | undefined;
  let more = false;
  for await (const item of merged(streams, keyOf)) {
    if (wanted.length === limit || read === MAX_READ) {
      more = true;
      break;
    }
    read += 1;
    last = keyOf(item);
    const { workflow, status } = item.attributes;
    if (query.status !== undefined && status !== query.status) continue;
    if (query.workflows !== undefined && !query.workflows.includes(String(workflow))) continue;
    wanted.push(item);
  }
  const items = await Promise.all(wanted.map(toJob));
  return { items, ...(more && last !== undefined ? { next: last } : {}) };
}
