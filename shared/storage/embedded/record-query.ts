import { decodeCursor } from '../cursor.ts';
import type { RecordQuery } from '../ports.ts';
import type { SqlValue } from './database.ts';

/** SQLite compares texts by their UTF-8 bytes, as DynamoDB does; this follows every text that starts with a prefix. */
const AFTER_EVERY_SUFFIX = '\u{10ffff}\u{10ffff}';

/** The SQL of a checked query: unexpired items, in key order, after the cursor, at most `rows`. */
export function buildQuery(
  query: RecordQuery,
  columns: string,
  nowSeconds: number,
  rows: number,
): { sql: string; values: SqlValue[] } {
  const [pk, sk] = query.index === undefined ? ['pk', 'sk'] : [`${query.index}pk`, `${query.index}sk`];
  const where = [`${pk} = ?`];
  const values: SqlValue[] = [query.pk];
  const add = (sql: string, ...more: SqlValue[]): void => {
    where.push(sql);
    values.push(...more);
  };

  if (query.sk !== undefined) {
    if ('prefix' in query.sk) {
      add(`${sk} >= ?`, query.sk.prefix);
      add(`${sk} < ?`, query.sk.prefix + AFTER_EVERY_SUFFIX);
    } else if ('between' in query.sk) add(`${sk} BETWEEN ? AND ?`, ...query.sk.between);
    else add(`${sk} ${query.sk.op} ?`, query.sk.value);
  }
  if (query.cursor !== undefined) {
    const last = decodeCursor(query, query.cursor);
    const beyond = query.descending ? '<' : '>';
    if (query.index === undefined) add(`sk ${beyond} ?`, last.sk);
    else add(`(${sk}, pk, sk) ${beyond} (?, ?, ?)`, last.indexSk, last.pk, last.sk);
  }
  add('(ttl IS NULL OR ttl > ?)', nowSeconds);
  const direction = query.descending ? 'DESC' : 'ASC';
  const order = query.index === undefined ? [sk] : [sk, 'pk', 'sk'];
  const orderBy = order.map((column) => `${column} ${direction}`).join(', ');
  return {
    sql: `SELECT ${columns} FROM records WHERE ${where.join(' AND ')} ORDER BY ${orderBy} LIMIT ${rows}`,
    values,
  };
}
