import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { storageUnavailable } from '#shared/task/errors.ts';

/** How hard writes are pushed to the disk: `normal` survives a killed process, `full` a power loss too. */
export type Fsync = 'normal' | 'full';

/** Of the table of records, in the order in which statements name them. */
export const RECORD_COLUMNS = 'pk, sk, attributes, version, ttl, g1pk, g1sk, g2pk, g2sk';

// With rowids: a record has some hundred bytes, and such rows are appended cheaply, where a table that is its own index
// moves its neighbours about at every second write.
const RECORDS = `
CREATE TABLE records(
  pk TEXT NOT NULL, sk TEXT NOT NULL, attributes TEXT NOT NULL, version INTEGER NOT NULL, ttl INTEGER,
  g1pk TEXT, g1sk TEXT, g2pk TEXT, g2sk TEXT, PRIMARY KEY(pk, sk)) STRICT;`;
const RECORD_INDEXES = `
CREATE INDEX records_g1 ON records(g1pk, g1sk, pk, sk) WHERE g1pk IS NOT NULL;
CREATE INDEX records_g2 ON records(g2pk, g2sk, pk, sk) WHERE g2pk IS NOT NULL;
CREATE INDEX records_ttl ON records(ttl) WHERE ttl IS NOT NULL;`;

const SCHEMA = `${RECORDS}${RECORD_INDEXES}
CREATE TABLE messages(
  id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, message_id TEXT NOT NULL, body TEXT NOT NULL,
  sent INTEGER NOT NULL, visible INTEGER NOT NULL, receives INTEGER NOT NULL DEFAULT 0, receipt TEXT) STRICT;
CREATE INDEX messages_visible ON messages(queue, visible, id);

CREATE TABLE objects(
  bucket TEXT NOT NULL, key TEXT NOT NULL, identity TEXT NOT NULL, sha256 TEXT NOT NULL, modified INTEGER NOT NULL,
  content_type TEXT, metadata TEXT, tags TEXT, PRIMARY KEY(bucket, key)) STRICT, WITHOUT ROWID;

CREATE TABLE outbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL, key TEXT NOT NULL, etag TEXT NOT NULL,
  bytes INTEGER NOT NULL, time INTEGER NOT NULL, pid INTEGER NOT NULL, stored INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX outbox_due ON outbox(stored, due, id);
`;

/** What takes a data directory from the version of its place to the next: 0 is an empty file. */
const UPGRADES: readonly { to: number; sql: string }[] = [
  { to: 2, sql: SCHEMA },
  {
    to: 2,
    sql: `ALTER TABLE records RENAME TO records_1; ${RECORDS}
      INSERT INTO records(${RECORD_COLUMNS}) SELECT ${RECORD_COLUMNS} FROM records_1 ORDER BY pk, sk;
      DROP TABLE records_1; ${RECORD_INDEXES}`,
  },
];

/** Version of the schema above; a data directory written by a newer one is refused. */
const SCHEMA_VERSION = 2;

/**
 * One connection to `store.sqlite`, shared by the adapters of a process; any number of processes may have theirs.
 * Statements are prepared once; calls are synchronous, so nothing interleaves within a transaction.
 */
export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #depth = 0;

  /** @throws StorageUnavailable when the file cannot be opened or was written by a newer version. */
  constructor(path: string, fsync: Fsync) {
    this.#db = guard(() => new DatabaseSync(path, { timeout: 5000 }));
    guard(() => {
      this.#db.exec(
        // A larger page cache and a longer log: fewer reads and fewer pages copied twice. 8 and 16 MB.
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${fsync === 'full' ? 'FULL' : 'NORMAL'};
         PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 4000;`,
      );
    });
    if (this.#version() !== SCHEMA_VERSION) this.transaction(() => this.#upgrade(path));
  }

  #version(): number {
    return Number(this.get<{ user_version: number }>('PRAGMA user_version')?.user_version);
  }

  /** Inside a transaction: of processes that open an old directory together one upgrades it. */
  #upgrade(path: string): void {
    for (let version = this.#version(); version !== SCHEMA_VERSION; version = this.#version()) {
      const upgrade = UPGRADES[version];
      if (!upgrade) {
        throw storageUnavailable(
          `${path} was written by a newer agentmill (schema ${version}): update, or use another data directory.`,
        );
      }
      guard(() => this.#db.exec(`${upgrade.sql} PRAGMA user_version = ${upgrade.to};`));
    }
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  get<Row>(sql: string, ...values: SqlValue[]): Row | undefined {
    return guard(() => this.#prepared(sql).get(...values) as Row | undefined);
  }

  all<Row>(sql: string, ...values: SqlValue[]): Row[] {
    return guard(() => this.#prepared(sql).all(...values) as Row[]);
  }

  /**
   * The first row of a writing statement with RETURNING. Steps it to its end: a commit that fails (a full disk) is
   * only reported there, and a statement left at its first row would hide it.
   */
  returning<Row>(sql: string, ...values: SqlValue[]): Row | undefined {
    return this.all<Row>(sql, ...values)[0];
  }

  /** Returns the number of rows changed. */
  run(sql: string, ...values: SqlValue[]): number {
    return guard(() => Number(this.#prepared(sql).run(...values).changes));
  }

  /** Runs `body` under the write lock of the database; what it throws undoes its writes. Nested calls join in. */
  transaction<T>(body: () => T): T {
    if (this.#depth > 0) return body();
    this.run('BEGIN IMMEDIATE');
    this.#depth++;
    try {
      const result = body();
      this.run('COMMIT');
      return result;
    } catch (error) {
      // A full disk may have rolled back already; what matters to the caller is the first error.
      if (this.#db.isTransaction) guard(() => this.#db.exec('ROLLBACK'));
      throw error;
    } finally {
      this.#depth--;
    }
  }

  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }
}

export type SqlValue = string | number | null;

/** Turns SQLite's own failures (locked, full, damaged) into StorageUnavailable; other errors pass. */
function guard<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === 'ERR_SQLITE_ERROR') {
      throw storageUnavailable(`SQLite: ${(error as Error).message}`, { cause: error });
    }
    if (code === 'ERR_INVALID_STATE') {
      throw storageUnavailable('The data directory has been closed.', { cause: error });
    }
    throw error;
  }
}
