import { DatabaseSync } from 'node:sqlite';

/** The SQLite file of an index. It is written once, by the builder, and then only read. */

/** Part of every corpus id: what this code writes differently makes another index. */
export const INDEX_VERSION = 1;

const TABLES = `
  CREATE TABLE progress (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE documents (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, url TEXT, title TEXT NOT NULL, text TEXT NOT NULL
  );
  CREATE TABLE passages (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, heading TEXT NOT NULL
  );
  CREATE VIRTUAL TABLE words USING fts5(
    title, heading, body, content='', tokenize='porter unicode61 remove_diacritics 2'
  );
  CREATE TABLE vectors (passage INTEGER PRIMARY KEY, scale REAL NOT NULL, numbers BLOB NOT NULL);
  CREATE TABLE facts (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL, line INTEGER NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL,
    heading TEXT NOT NULL, relation TEXT NOT NULL, value TEXT NOT NULL, head TEXT NOT NULL, normal_head TEXT NOT NULL
  );
  CREATE TABLE ambiguous_keys (key TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE rejects (id INTEGER PRIMARY KEY, row TEXT NOT NULL);
`;

/** Opens a file to build in, with its tables. A build that is interrupted is thrown away, so nothing is synced. */
export function openForBuilding(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;');
  const { tables } = db
    .prepare(`SELECT count(*) AS tables FROM sqlite_schema WHERE name = 'progress'`)
    .get() as {
    tables: number;
  };
  if (tables === 0) db.exec(TABLES);
  return db;
}

/** Opens a finished file to read. */
export function openForReading(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true });
  db.exec('PRAGMA cache_size = -65536; PRAGMA mmap_size = 1073741824;');
  return db;
}
