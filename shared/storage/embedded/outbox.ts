import { setImmediate as soon } from 'node:timers/promises';
import type { ObjectCreated } from '../ports.ts';
import type { Database } from './database.ts';

export type CreatedListener = (event: ObjectCreated) => Promise<void>;

interface OutboxRow {
  id: number;
  bucket: string;
  key: string;
  etag: string;
  bytes: number;
  time: number;
  pid: number;
  attempts: number;
  /** Real milliseconds: when it was announced, then when to deliver it (again). */
  due: number;
}

/** How often a started process looks for events of other processes and for retries. */
const POLL_MS = 100;
const LEASE_MS = 60_000;
const BATCH = 32;
const MAX_ATTEMPTS = 20;
/** A put that has not finished after this long was abandoned, whatever the process id says. */
const ABANDONED_MS = 10 * 60_000;

/**
 * Whether the process that made something at a real time (milliseconds) is still running. Containers give a restarted
 * process its predecessor's id, so what is older than this process is not this process's.
 */
export function isAlive(pid: number, madeAt: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  if (pid === process.pid) return madeAt >= performance.timeOrigin - 1;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}

/**
 * Object-created events, at least once: announced before the file is placed, confirmed with its index row, deleted
 * when every listener has taken it. Times here are real ones, whatever clock the platform runs on.
 */
export class Outbox {
  readonly #db: Database;
  readonly #listeners = new Set<CreatedListener>();
  readonly #onError: (error: unknown, event: ObjectCreated) => void;
  #timer: NodeJS.Timeout | undefined;
  #pumping: Promise<void> | undefined;
  #again = false;

  constructor(db: Database, onError: (error: unknown, event: ObjectCreated) => void) {
    this.#db = db;
    this.#onError = onError;
  }

  announce(event: Omit<ObjectCreated, 'versionId'>): number {
    const row = this.#db.returning<{ id: number }>(
      'INSERT INTO outbox(bucket, key, etag, bytes, time, pid, due) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id',
      event.bucket,
      event.key,
      event.etag,
      event.bytes,
      event.time,
      process.pid,
      Date.now(),
    );
    return row!.id;
  }

  confirm(id: number): void {
    this.#db.run('UPDATE outbox SET stored = 1 WHERE id = ?', id);
  }

  forget(id: number): void {
    this.#db.run('DELETE FROM outbox WHERE id = ?', id);
  }

  listen(listener: CreatedListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Decides announcements whose process died: an object with the announced etag was placed, else the put never was. */
  settle(etagNow: (bucket: string, key: string) => string | undefined): void {
    for (const row of this.#db.all<OutboxRow>('SELECT * FROM outbox WHERE stored = 0')) {
      if (isAlive(row.pid, row.due) && Date.now() - row.due < ABANDONED_MS) continue;
      if (etagNow(row.bucket, row.key) === row.etag) this.confirm(row.id);
      else this.forget(row.id);
    }
  }

  start(): void {
    if (this.#timer) return;
    this.#timer = setInterval(() => this.wake(), POLL_MS);
    this.#timer.unref();
    this.wake();
  }

  /** Delivers what is due, soon; does nothing in a process that was not started. */
  wake(): void {
    if (!this.#timer) return;
    this.#again = true;
    this.#pumping ??= this.#pump().finally(() => (this.#pumping = undefined));
  }

  async #pump(): Promise<void> {
    await soon();
    while (this.#again && this.#timer) {
      this.#again = false;
      for (let rows = this.#claim(); rows.length > 0 && this.#timer; rows = this.#claim()) {
        await Promise.all(rows.map((row) => this.#deliver(row)));
      }
    }
  }

  #claim(): OutboxRow[] {
    const now = Date.now();
    const due = 'stored = 1 AND due <= ?';
    if (!this.#db.get(`SELECT 1 FROM outbox WHERE ${due} LIMIT 1`, now)) return [];
    return this.#db.all<OutboxRow>(
      `UPDATE outbox SET due = ?, attempts = attempts + 1
       WHERE id IN (SELECT id FROM outbox WHERE ${due} ORDER BY id LIMIT ${BATCH}) RETURNING *`,
      now + LEASE_MS,
      now,
    );
  }

  async #deliver(row: OutboxRow): Promise<void> {
    const event: ObjectCreated = {
      bucket: row.bucket,
      key: row.key,
      bytes: row.bytes,
      etag: row.etag,
      time: row.time,
    };
    try {
      for (const listener of this.#listeners) await listener(event);
      this.forget(row.id);
    } catch (error) {
      if (row.attempts >= MAX_ATTEMPTS) this.forget(row.id);
      else {
        const wait = Math.min(60_000, 100 * 2 ** row.attempts);
        this.#db.run('UPDATE outbox SET due = ? WHERE id = ?', Date.now() + wait, row.id);
      }
      this.#onError(error, event);
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#pumping;
  }
}
