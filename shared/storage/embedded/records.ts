import type { Clock } from '#shared/determinism/clock.ts';
import { isError } from '#shared/task/errors.ts';
import { encodeCursor } from '../cursor.ts';
import type {
  ConditionalPut,
  RecordChange,
  RecordItem,
  RecordKey,
  RecordPage,
  RecordPut,
  RecordQuery,
  Records,
  WriteOptions,
} from '../ports.ts';
import {
  applyChange,
  checkBatch,
  checkChange,
  checkCondition,
  checkItemSize,
  checkPut,
  checkQuery,
  checkRecordKey,
  preconditionProblem,
  recordConflict,
  storableAttributes,
} from '../record-rules.ts';
import { RECORD_COLUMNS as COLUMNS, type Database, type SqlValue } from './database.ts';
import { buildQuery } from './record-query.ts';

export interface RecordRow {
  pk: string;
  sk: string;
  attributes: string;
  version: number;
  ttl: number | null;
  g1pk: string | null;
  g1sk: string | null;
  g2pk: string | null;
  g2sk: string | null;
}

// An expired item counts as absent: a put over it starts again at version 1.
const UPSERT = `INSERT INTO records(${COLUMNS}) VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?)
  ON CONFLICT(pk, sk) DO UPDATE SET attributes = excluded.attributes,
    version = CASE WHEN records.ttl <= ? THEN 1 ELSE records.version + 1 END,
    ttl = excluded.ttl, g1pk = excluded.g1pk, g1sk = excluded.g1sk, g2pk = excluded.g2pk, g2sk = excluded.g2sk
  RETURNING version`;
const INSERT = `INSERT INTO records(${COLUMNS}) VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?)
  ON CONFLICT(pk, sk) DO UPDATE SET attributes = excluded.attributes, version = 1,
    ttl = excluded.ttl, g1pk = excluded.g1pk, g1sk = excluded.g1sk, g2pk = excluded.g2pk, g2sk = excluded.g2sk
  WHERE records.ttl <= ?`;
const REPLACE = `UPDATE records SET attributes = ?, version = version + 1, ttl = ?, g1pk = ?, g1sk = ?, g2pk = ?, g2sk = ?
  WHERE pk = ? AND sk = ? AND version = ? AND (ttl IS NULL OR ttl > ?)`;
const SELECT = `SELECT ${COLUMNS} FROM records WHERE pk = ? AND sk = ? AND (ttl IS NULL OR ttl > ?)`;

function itemOf(row: RecordRow): RecordItem {
  return {
    pk: row.pk,
    sk: row.sk,
    attributes: JSON.parse(row.attributes) as RecordItem['attributes'],
    version: row.version,
    ...(row.ttl === null ? {} : { ttl: row.ttl }),
    ...(row.g1pk === null || row.g1sk === null ? {} : { g1: { pk: row.g1pk, sk: row.g1sk } }),
    ...(row.g2pk === null || row.g2sk === null ? {} : { g2: { pk: row.g2pk, sk: row.g2sk } }),
  };
}

/** The records port on SQLite: one table, two indexes, each write one transaction. */
export class EmbeddedRecords implements Records {
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(db: Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1000);
  }

  #current(key: RecordKey): RecordItem | undefined {
    const row = this.#db.get<RecordRow>(SELECT, key.pk, key.sk, this.#seconds());
    return row && itemOf(row);
  }

  /** Writes an item over whatever is there. */
  #write(item: RecordPut): RecordItem {
    return this.#tryWrite(item, {})!;
  }

  /** Writes an item where it is new, or at a version, as told; undefined where it is not. */
  #tryWrite(item: RecordPut, options: Pick<WriteOptions, 'ifAbsent' | 'ifVersion'>): RecordItem | undefined {
    const attributes = storableAttributes(item.attributes);
    const json = JSON.stringify(attributes);
    checkItemSize(item, json);
    const { pk, sk, ttl, g1, g2 } = item;
    const values: SqlValue[] = [
      pk,
      sk,
      json,
      ttl ?? null,
      g1?.pk ?? null,
      g1?.sk ?? null,
      g2?.pk ?? null,
      g2?.sk ?? null,
    ];
    const version = this.#store(values, options);
    if (version === undefined) return undefined;
    return {
      pk,
      sk,
      attributes,
      version,
      ...(ttl === undefined ? {} : { ttl }),
      ...(g1 === undefined ? {} : { g1: { pk: g1.pk, sk: g1.sk } }),
      ...(g2 === undefined ? {} : { g2: { pk: g2.pk, sk: g2.sk } }),
    };
  }

  /** One statement, one commit. Returns the version written. */
  #store(
    values: SqlValue[],
    { ifAbsent, ifVersion }: Pick<WriteOptions, 'ifAbsent' | 'ifVersion'>,
  ): number | undefined {
    const now = this.#seconds();
    if (ifVersion !== undefined) {
      const [pk, sk, ...rest] = values;
      return this.#db.run(REPLACE, ...rest, pk!, sk!, ifVersion, now) === 1 ? ifVersion + 1 : undefined;
    }
    // Most items are new, and an INSERT is cheaper than a row that is returned.
    if (this.#db.run(INSERT, ...values, now) === 1) return 1;
    if (ifAbsent) return undefined;
    return this.#db.returning<{ version: number }>(UPSERT, ...values, now)!.version;
  }

  /** Puts under preconditions, inside or outside of a transaction. */
  #put(item: RecordPut, options: WriteOptions): RecordItem {
    const { ifAbsent, ifVersion, condition } = options;
    // Most puts need no look at what is there: one statement says whether it was as told.
    if (!condition && !(ifAbsent && ifVersion !== undefined)) {
      const written = this.#tryWrite(item, options);
      if (written) return written;
    }
    return this.#guarded(item, options, () => this.#write(item));
  }

  /** Runs `body` with the current item where it meets the preconditions, all in one transaction. */
  #guarded<T>(key: RecordKey, options: WriteOptions, body: (current: RecordItem | undefined) => T): T {
    if (options.condition) checkCondition(options.condition);
    return this.#db.transaction(() => {
      const current = this.#current(key);
      const failed = preconditionProblem(options, current);
      if (failed !== undefined) {
        throw recordConflict(key, failed, current);
      }
      return body(current);
    });
  }

  async get(key: RecordKey): Promise<RecordItem | undefined> {
    checkRecordKey(key);
    return this.#current(key);
  }

  async put(item: RecordPut, options: WriteOptions = {}): Promise<RecordItem> {
    checkPut(item);
    return this.#put(item, options);
  }

  async update(key: RecordKey, change: RecordChange, options: WriteOptions = {}): Promise<RecordItem> {
    checkChange(key, change);
    return this.#guarded(key, options, (current) => {
      const ttl = change.ttl ?? current?.ttl;
      const g1 = change.g1 ?? current?.g1;
      const g2 = change.g2 ?? current?.g2;
      return this.#write({
        pk: key.pk,
        sk: key.sk,
        attributes: applyChange(current?.attributes ?? {}, change),
        ...(ttl === undefined ? {} : { ttl }),
        ...(g1 === undefined ? {} : { g1 }),
        ...(g2 === undefined ? {} : { g2 }),
      });
    });
  }

  async delete(key: RecordKey, options: Omit<WriteOptions, 'ifAbsent'> = {}): Promise<void> {
    checkRecordKey(key);
    this.#guarded(key, options, () =>
      this.#db.run('DELETE FROM records WHERE pk = ? AND sk = ?', key.pk, key.sk),
    );
  }

  async query(query: RecordQuery): Promise<RecordPage> {
    const limit = checkQuery(query);
    const { sql, values } = buildQuery(query, COLUMNS, this.#seconds(), limit + 1);
    const items = this.#db.all<RecordRow>(sql, ...values).map(itemOf);
    if (items.length <= limit) return { items };
    items.length = limit;
    return { items, cursor: encodeCursor(query, items[limit - 1]!) };
  }

  async batchGet(keys: RecordKey[]): Promise<RecordItem[]> {
    checkBatch(keys.length, 100, 'keys');
    keys.forEach((key) => checkRecordKey(key));
    const distinct = new Map(keys.map((key) => [JSON.stringify([key.pk, key.sk]), key]));
    return [...distinct.values()].flatMap((key) => this.#current(key) ?? []);
  }

  async batchPut(items: RecordPut[]): Promise<void> {
    checkBatch(items.length, 25, 'items');
    items.forEach(checkPut);
    this.#db.transaction(() => items.forEach((item) => this.#write(item)));
  }

  async putEach(puts: readonly ConditionalPut[]): Promise<PromiseSettledResult<RecordItem>[]> {
    return this.#db.transaction(() =>
      puts.map(({ item, options = {} }): PromiseSettledResult<RecordItem> => {
        try {
          checkPut(item);
          return { status: 'fulfilled', value: this.#put(item, options) };
        } catch (error) {
          // Refused: the others are written. A failing database undoes them all.
          if (isError(error, 'Conflict') || isError(error, 'InvalidInput'))
            return { status: 'rejected', reason: error };
          throw error;
        }
      }),
    );
  }

  /** Deletes expired items; returns how many. */
  sweep(): number {
    return this.#db.run('DELETE FROM records WHERE ttl IS NOT NULL AND ttl <= ?', this.#seconds());
  }
}
