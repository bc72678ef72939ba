import * as fs from 'node:fs';
import { type Database } from './database.ts';
import { hashOpenFile, identityOf, type ObjectFiles, type OpenFile } from './object-files.ts';

/** What the index knows of an object beyond its file. */
export interface ObjectFacts {
  sha256: string;
  etag: string;
  modified: number;
  contentType: string | undefined;
  metadata: Record<string, string>;
  tags: Record<string, string>;
}

interface ObjectRow {
  identity: string;
  sha256: string;
  modified: number;
  content_type: string | null;
  metadata: string | null;
  tags: string | null;
}

const UPSERT = `INSERT INTO objects(bucket, key, identity, sha256, modified, content_type, metadata, tags)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT(bucket, key) DO UPDATE SET identity = excluded.identity, sha256 = excluded.sha256,
    modified = excluded.modified, content_type = excluded.content_type, metadata = excluded.metadata,
    tags = excluded.tags`;

/** Objects are told apart by content: the first 128 bits of their SHA-256. */
export const etagOf = (sha256: string): string => sha256.slice(0, 32);

const parsed = (json: string | null): Record<string, string> =>
  json === null ? {} : (JSON.parse(json) as Record<string, string>);

/**
 * Hashes and metadata of the files, in SQLite. The directory is the truth: a row counts only while the file has the
 * identity it was written for, so a file put there or edited by hand is hashed when first looked at.
 */
export class ObjectIndex {
  readonly #db: Database;
  readonly #files: ObjectFiles;

  constructor(db: Database, files: ObjectFiles) {
    this.#db = db;
    this.#files = files;
  }

  write(bucket: string, key: string, identity: string, facts: Omit<ObjectFacts, 'etag'>): void {
    const json = (value: Record<string, string>): string | null =>
      Object.keys(value).length === 0 ? null : JSON.stringify(value);
    this.#db.run(
      UPSERT,
      bucket,
      key,
      identity,
      facts.sha256,
      facts.modified,
      facts.contentType ?? null,
      json(facts.metadata),
      json(facts.tags),
    );
  }

  remove(bucket: string, key: string): void {
    this.#db.run('DELETE FROM objects WHERE bucket = ? AND key = ?', bucket, key);
  }

  #row(bucket: string, key: string, identity: string): ObjectFacts | undefined {
    const row = this.#db.get<ObjectRow>(
      'SELECT identity, sha256, modified, content_type, metadata, tags FROM objects WHERE bucket = ? AND key = ?',
      bucket,
      key,
    );
    if (row?.identity !== identity) return undefined;
    return {
      sha256: row.sha256,
      etag: etagOf(row.sha256),
      modified: row.modified,
      contentType: row.content_type ?? undefined,
      metadata: parsed(row.metadata),
      tags: parsed(row.tags),
    };
  }

  /** Facts of an open file: from its row, else by hashing it and keeping the row for the next time. */
  facts(bucket: string, key: string, file: OpenFile): ObjectFacts {
    const known = this.#row(bucket, key, file.identity);
    if (known) return known;
    const sha256 = hashOpenFile(file.fd);
    return this.#db.transaction(() => {
      // Another process may have been between its rename and its row: under the lock, its row is there.
      const meanwhile = this.#row(bucket, key, file.identity);
      if (meanwhile) return meanwhile;
      const facts = { sha256, modified: file.modified, contentType: undefined, metadata: {}, tags: {} };
      if (this.#identityNow(bucket, key) === file.identity) this.write(bucket, key, file.identity, facts);
      return { ...facts, etag: etagOf(sha256) };
    });
  }

  #identityNow(bucket: string, key: string): string | undefined {
    const stats = fs.lstatSync(this.#files.pathOf(bucket, key), { bigint: true, throwIfNoEntry: false });
    return stats && identityOf(stats);
  }

  /** Facts and size of the object under a key. @throws NotFound. */
  look(bucket: string, key: string): ObjectFacts & { bytes: number } {
    const file = this.#files.open(bucket, key);
    try {
      return { ...this.facts(bucket, key, file), bytes: file.bytes };
    } finally {
      fs.closeSync(file.fd);
    }
  }

  /** As `look`, cheaper for a listing that has the path's status already. */
  lookListed(bucket: string, key: string, stats: fs.BigIntStats): ObjectFacts & { bytes: number } {
    const known = this.#row(bucket, key, identityOf(stats));
    return known ? { ...known, bytes: Number(stats.size) } : this.look(bucket, key);
  }
}
