import { z } from 'zod';
import { invalidInput } from '#shared/task/errors.ts';
import type { RecordItem, RecordQuery } from './ports.ts';

/**
 * Where a page of a records query ended: the last item's keys. Opaque to callers, tied to the index and partition of
 * its query, and equal for every adapter.
 */
export interface QueryPosition {
  pk: string;
  sk: string;
  /** The sort key in the queried index; equals `sk` for the table itself. */
  indexSk: string;
}

const Cursor = z.tuple([z.enum(['t', 'g1', 'g2']), z.string(), z.string(), z.string(), z.string()]);

export function encodeCursor(query: RecordQuery, last: RecordItem): string {
  const indexSk = query.index === undefined ? last.sk : (last[query.index]?.sk ?? '');
  return Buffer.from(JSON.stringify([query.index ?? 't', query.pk, indexSk, last.pk, last.sk])).toString(
    'base64url',
  );
}

/** @throws InvalidInput when the cursor was not made by the same query. */
export function decodeCursor(query: RecordQuery, cursor: string): QueryPosition {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    value = undefined;
  }
  const parsed = Cursor.safeParse(value);
  if (!parsed.success || parsed.data[0] !== (query.index ?? 't') || parsed.data[1] !== query.pk) {
    throw invalidInput('The cursor does not belong to this query: start again without one.');
  }
  const [, , indexSk, pk, sk] = parsed.data;
  if (![indexSk, pk, sk].every((text) => text.length > 0 && text.isWellFormed())) {
    throw invalidInput('The cursor does not belong to this query: start again without one.');
  }
  return { indexSk, pk, sk };
}
