import type {
  ExecutionDescription,
  ExecutionStatus,
  HistoryEvent,
  Json,
  Workflows,
} from '#shared/storage/ports.ts';
import { invalidInput, notFound } from '#shared/task/errors.ts';
import type { MapRun } from './model.ts';
import type { ExecutionRow } from './restore.ts';
import type { Store } from './store.ts';

/** What the store tells of executions, histories and map runs. Only committed facts are ever given. */

const PAGE = 100;
const MAX_PAGE = 1_000;

const pageSize = (limit: number | undefined): number => {
  if (limit === undefined) return PAGE;
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE) return limit;
  throw invalidInput(`limit ${limit} must be an integer from 1 to ${MAX_PAGE}.`);
};

const cursorNumber = (cursor: string | undefined, otherwise: number): number => {
  if (cursor === undefined) return otherwise;
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw invalidInput('The cursor is not one that a page before gave.');
};

export function rowOf(store: Store, arn: string): ExecutionRow {
  const row = store.get<ExecutionRow>('SELECT * FROM executions WHERE arn = ?', arn);
  if (!row) throw notFound(`ExecutionDoesNotExist: there is no execution ${arn}.`);
  return row;
}

const summary = (row: ExecutionRow): Omit<ExecutionDescription, 'input' | 'output'> => ({
  executionArn: row.arn,
  name: row.name,
  machine: row.machine,
  status: row.status,
  ...(row.error === null ? {} : { error: row.error }),
  ...(row.cause === null ? {} : { cause: row.cause }),
  started: row.started,
  ...(row.stopped === null ? {} : { stopped: row.stopped }),
  redriveCount: row.redrives,
});

export function describe(store: Store, arn: string): ExecutionDescription {
  const row = rowOf(store, arn);
  return {
    ...summary(row),
    input: JSON.parse(row.input) as Json,
    ...(row.output === null ? {} : { output: JSON.parse(row.output) as Json }),
  };
}

type List = Parameters<Workflows['list']>[0];

/** Executions of a machine, the latest first. */
export function list(store: Store, query: List): Awaited<ReturnType<Workflows['list']>> {
  const limit = pageSize(query.limit);
  const before = cursorNumber(query.cursor, Number.MAX_SAFE_INTEGER);
  const rows = store.all<ExecutionRow>(
    `SELECT * FROM executions WHERE machine = ? AND run IS NULL AND id < ? AND (? IS NULL OR status = ?)
      ORDER BY id DESC LIMIT ?`,
    query.machine,
    before,
    query.status ?? null,
    query.status ?? null,
    limit + 1,
  );
  return page(rows, limit, (row) => row.id, summary);
}

function page<Row, Item>(
  rows: Row[],
  limit: number,
  cursorOf: (row: Row) => number,
  itemOf: (row: Row) => Item,
): { items: Item[]; cursor?: string } {
  const shown = rows.slice(0, limit);
  const more = rows.length > limit ? { cursor: String(cursorOf(shown[shown.length - 1]!)) } : {};
  return { items: shown.map(itemOf), ...more };
}

interface EventRow {
  id: number;
  previous: number;
  type: string;
  time: number;
  details: string | null;
}

export function history(
  store: Store,
  arn: string,
  options: { limit?: number; cursor?: string; descending?: boolean } = {},
): Awaited<ReturnType<Workflows['history']>> {
  const { id } = rowOf(store, arn);
  const limit = pageSize(options.limit);
  const { descending = false } = options;
  const from = cursorNumber(options.cursor, descending ? Number.MAX_SAFE_INTEGER : 0);
  const rows = store.all<EventRow>(
    `SELECT id, previous, type, time, details FROM events WHERE execution = ? AND id ${descending ? '<' : '>'} ?
      ORDER BY id ${descending ? 'DESC' : 'ASC'} LIMIT ?`,
    id,
    from,
    limit + 1,
  );
  const { items, cursor } = page(rows, limit, (row) => row.id, eventOf);
  return { events: items, ...(cursor === undefined ? {} : { cursor }) };
}

const eventOf = (row: EventRow): HistoryEvent => ({
  id: row.id,
  type: row.type,
  previousEventId: row.previous,
  timestamp: row.time,
  ...(row.details === null ? {} : (JSON.parse(row.details) as { [name: string]: unknown })),
});

/** What DescribeMapRun says of a Distributed Map's run. Counts are of items; `executions` counts children. */
export interface MapRunDescription {
  mapRunArn: string;
  executionArn: string;
  status: MapRun['status'];
  maxConcurrency: number;
  toleratedFailureCount?: number;
  toleratedFailurePercentage?: number;
  items: MapRun['counts'] & { pending: number; running: number };
  executions: { [status in ExecutionStatus]: number };
  started: number;
  stopped?: number;
  redriveCount: number;
}

interface RunRow {
  id: number;
  arn: string;
  execution: number;
  status: MapRun['status'];
  concurrency: number;
  tolerance: string;
  counts: string;
  started: number;
  stopped: number | null;
  redrives: number;
}

function runDescription(store: Store, row: RunRow): MapRunDescription {
  const { arn } = store.get<{ arn: string }>('SELECT arn FROM executions WHERE id = ?', row.execution)!;
  const counts = JSON.parse(row.counts) as MapRun['counts'];
  const tolerance = JSON.parse(row.tolerance) as MapRun['tolerance'];
  const executions = { RUNNING: 0, SUCCEEDED: 0, FAILED: 0, TIMED_OUT: 0, ABORTED: 0 };
  let running = 0;
  for (const { status, children, items } of store.all<{
    status: ExecutionStatus;
    children: number;
    items: number;
  }>(
    'SELECT status, count(*) AS children, sum(items) AS items FROM executions WHERE run = ? GROUP BY status',
    row.id,
  )) {
    executions[status] = children;
    if (status === 'RUNNING') running = items;
  }
  const ended = counts.succeeded + counts.failed + counts.timedOut + counts.aborted;
  return {
    mapRunArn: row.arn,
    executionArn: arn,
    status: row.status,
    maxConcurrency: row.concurrency,
    ...(tolerance.count === undefined ? {} : { toleratedFailureCount: tolerance.count }),
    ...(tolerance.percentage === undefined ? {} : { toleratedFailurePercentage: tolerance.percentage }),
    items: { ...counts, running, pending: Math.max(0, counts.total - ended - running) },
    executions,
    started: row.started,
    ...(row.stopped === null ? {} : { stopped: row.stopped }),
    redriveCount: row.redrives,
  };
}

function runRow(store: Store, arn: string): RunRow {
  const row = store.get<RunRow>('SELECT * FROM map_runs WHERE arn = ?', arn);
  if (!row) throw notFound(`ResourceNotFound: there is no map run ${arn}.`);
  return row;
}

export const describeMapRun = (store: Store, arn: string): MapRunDescription =>
  runDescription(store, runRow(store, arn));

export function listMapRuns(store: Store, executionArnText: string): MapRunDescription[] {
  const { id } = rowOf(store, executionArnText);
  return store
    .all<RunRow>('SELECT * FROM map_runs WHERE execution = ? ORDER BY id', id)
    .map((row) => runDescription(store, row));
}

/** Children of a map run in item order. */
export function listChildren(
  store: Store,
  mapRunArn: string,
  query: { status?: ExecutionStatus; limit?: number; cursor?: string } = {},
): Awaited<ReturnType<Workflows['list']>> {
  const limit = pageSize(query.limit);
  const rows = store.all<ExecutionRow>(
    'SELECT * FROM executions WHERE run = ? AND item > ? AND (? IS NULL OR status = ?) ORDER BY item LIMIT ?',
    runRow(store, mapRunArn).id,
    cursorNumber(query.cursor, -1),
    query.status ?? null,
    query.status ?? null,
    limit + 1,
  );
  return page(rows, limit, (row) => row.item!, summary);
}
