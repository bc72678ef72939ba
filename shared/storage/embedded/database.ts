import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { storageUnavailable } from '#shared/task/errors.ts';

/** How hard writes are pushed to the disk: `normal` survives a killed process, `full` a power loss too. */
export type Fsync = 'normal' | 'full';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS records(
  pk TEXT NOT NULL, sk TEXT NOT NULL, attributes TEXT NOT NULL, version INTEGER NOT NULL, ttl INTEGER,
  g1pk TEXT, g1sk TEXT, g2pk TEXT, g2sk TEXT, PRIMARY KEY(pk, sk)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS records_g1 ON records(g1pk, g1sk, pk, sk) WHERE g1pk IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_g2 ON records(g2pk, g2sk, pk, sk) WHERE g2pk IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_ttl ON records(ttl) WHERE ttl IS NOT NULL;

CREATE TABLE IF NOT EXISTS messages(
  id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, message_id TEXT NOT NULL, body TEXT NOT NULL,
  sent INTEGER NOT NULL, visible INTEGER NOT NULL, receives INTEGER NOT NULL DEFAULT 0, receipt TEXT) STRICT;
CREATE INDEX IF NOT EXISTS messages_visible ON messages(queue, visible, id);

CREATE TABLE IF NOT EXISTS objects(
  bucket TEXT NOT NULL, key TEXT NOT NULL, identity TEXT NOT NULL, sha256 TEXT NOT NULL, modified INTEGER NOT NULL,
  content_type TEXT, metadata TEXT, tags TEXT, PRIMARY KEY(bucket, key)) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS outbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL, key TEXT NOT NULL, etag TEXT NOT NULL,
  bytes INTEGER NOT NULL, time INTEGER NOT NULL, pid INTEGER NOT NULL, stored INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX IF NOT EXISTS outbox_due ON outbox(stored, due, id);
`;

/** Version of the schema above; a data directory written by a newer one is refused. */
const SCHEMA_VERSION = 1;

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
      const version = Number(this.#db.prepare('PRAGMA user_version').get()?.['user_version']);
      if (version > SCHEMA_VERSION) {
        throw storageUnavailable(
          `${path} was written by a newer agentmill (schema ${version}): update, or use another data directory.`,
        );
      }
      if (version < SCHEMA_VERSION) {
        this.#db.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
      }
    });
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
