import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { storageUnavailable } from '#shared/task/errors.ts';
import type { Execution, Frame, MapRun, Task } from './model.ts';
import { SCHEMA, SCHEMA_VERSION } from './schema.ts';

/** An event on its way to the store; `details` is JSON text of the details object with its name, or null. */
export interface EventRow {
  execution: number;
  id: number;
  previous: number;
  type: string;
  time: number;
  details: string | null;
}

/** What one turn changed. */
export interface Changes {
  executions: Set<Execution>;
  frames: Set<Frame>;
  tasks: Set<Task>;
  runs: Set<MapRun>;
  events: EventRow[];
  /** Path prefixes whose frames (and their timers) are gone: `[execution, path]`. */
  dropped: [number, string][];
}

export const noChanges = (): Changes => ({
  executions: new Set(),
  frames: new Set(),
  tasks: new Set(),
  runs: new Set(),
  events: [],
  dropped: [],
});

const orNull = <T extends SQLInputValue>(value: T | undefined): T | null => value ?? null;

/** The SQLite side of the engine: one writer connection, one transaction a turn. */
export class Store {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @param path - a file, or `:memory:` */
  constructor(path: string, fsync: 'normal' | 'full' = 'normal') {
    this.#db = new DatabaseSync(path, { timeout: 5000 });
    this.#db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${fsync === 'full' ? 'FULL' : 'NORMAL'};`);
    const version = Number(this.#db.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version > SCHEMA_VERSION) {
      this.#db.close();
      throw storageUnavailable(
        `${path} was written by a newer agentmill (schema ${version}): update, or use another data directory.`,
      );
    }
    if (version < SCHEMA_VERSION) {
      this.#db.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
    }
  }

  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.prepare(sql).get(...values) as Row | undefined;
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.prepare(sql).all(...values) as Row[];
  }

  iterate<Row>(sql: string, ...values: SQLInputValue[]): IterableIterator<Row> {
    return this.prepare(sql).iterate(...values) as IterableIterator<Row>;
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.prepare(sql).run(...values).changes);
  }

  transaction<T>(body: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = body();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Writes a turn's changes in one transaction, and clears the marks. */
  commit(changes: Changes): void {
    this.transaction(() => {
      for (const [execution, path] of changes.dropped) this.#drop(execution, path);
      for (const run of changes.runs) this.#run(run);
      for (const execution of changes.executions) this.#execution(execution);
      for (const frame of changes.frames) this.#frame(frame);
      for (const task of changes.tasks) this.#task(task);
      const insert = this.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)');
      for (const event of changes.events) {
        insert.run(event.execution, event.id, event.previous, event.type, event.time, event.details);
      }
    });
    for (const execution of changes.executions) execution.dirty = false;
    for (const frame of changes.frames) frame.dirty = false;
    for (const task of changes.tasks) task.dirty = false;
    for (const run of changes.runs) run.dirty = false;
  }

  #drop(execution: number, path: string): void {
    // '0' is the character after '/', so this is every path below the given one.
    this.run(
      'DELETE FROM frames WHERE execution = ? AND path >= ? AND path < ?',
      execution,
      `${path}/`,
      `${path}0`,
    );
    this.run(
      'DELETE FROM timers WHERE execution = ? AND path >= ? AND path < ?',
      execution,
      `${path}/`,
      `${path}0`,
    );
  }

  #execution(e: Execution): void {
    if (!e.stored) {
      e.stored = true;
      this.run(
        'INSERT INTO executions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        e.id,
        e.arn,
        e.name,
        e.machine,
        e.sha256,
        orNull(e.parent?.run.id),
        orNull(e.parent?.index),
        orNull(e.parent?.items),
        orNull(e.notify),
        e.express ? 1 : 0,
        e.status,
        e.input.text,
        orNull(e.output?.text),
        orNull(e.error),
        orNull(e.cause),
        e.started,
        orNull(e.stopped),
        e.redrives,
        orNull(e.redriven),
        e.nextEvent,
        e.variableBytes,
        orNull(e.deadline),
      );
      return;
    }
    this.run(
      `UPDATE executions SET status = ?, output = ?, error = ?, cause = ?, stopped = ?, redrives = ?, redriven = ?,
        next_event = ?, variable_bytes = ?, deadline = ? WHERE id = ?`,
      e.status,
      orNull(e.output?.text),
      orNull(e.error),
      orNull(e.cause),
      orNull(e.stopped),
      e.redrives,
      orNull(e.redriven),
      e.nextEvent,
      e.variableBytes,
      orNull(e.deadline),
      e.id,
    );
  }

  #frame(f: Frame): void {
    const execution = f.execution.id;
    if (f.removed) {
      if (f.stored) this.run('DELETE FROM frames WHERE execution = ? AND path = ?', execution, f.path);
      if (f.timerStored) this.run('DELETE FROM timers WHERE execution = ? AND path = ?', execution, f.path);
      f.stored = f.timerStored = false;
      return;
    }
    f.stored = true;
    this.run(
      'INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      execution,
      f.path,
      f.state,
      f.phase,
      f.input.text,
      f.own === undefined ? null : JSON.stringify(f.own),
      f.enteredEvent,
      f.enteredAfter,
      f.enteredTime,
      f.lastEvent,
      JSON.stringify({ counts: f.attempts, retries: f.retryCount }),
      f.item === undefined ? null : JSON.stringify(f.item),
      f.group === undefined
        ? null
        : JSON.stringify({
            length: f.group.length,
            concurrency: f.group.concurrency,
            items: f.group.items,
            tolerance: f.group.tolerance,
            lastEvent: f.group.lastEvent,
          }),
      orNull(f.output?.text),
    );
    if (f.due !== undefined) {
      f.timerStored = true;
      this.run('INSERT OR REPLACE INTO timers VALUES (?, ?, ?)', execution, f.path, f.due);
    } else if (f.timerStored) {
      f.timerStored = false;
      this.run('DELETE FROM timers WHERE execution = ? AND path = ?', execution, f.path);
    }
  }

  #task(t: Task): void {
    if (t.status === 'closed' && t.resource.pattern !== 'token') {
      if (t.stored) this.run('DELETE FROM tasks WHERE token = ?', t.token);
      return;
    }
    if (t.stored) {
      this.run(
        'UPDATE tasks SET status = ?, deadline = ?, heartbeat = ? WHERE token = ?',
        t.status,
        orNull(t.deadline),
        orNull(t.heartbeat),
        t.token,
      );
      return;
    }
    t.stored = true;
    this.run(
      'INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      t.token,
      t.execution.id,
      t.frame.path,
      t.resource.pattern,
      t.status,
      t.resource.arn,
      t.parameters.text,
      orNull(t.timeoutSeconds),
      orNull(t.heartbeatSeconds),
      null,
      orNull(t.deadline),
      orNull(t.heartbeat),
    );
  }

  #run(r: MapRun): void {
    if (!r.stored) {
      r.stored = true;
      this.run(
        'INSERT INTO map_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        r.id,
        r.arn,
        r.execution.id,
        r.frame.path,
        r.frame.state,
        r.label,
        r.express ? 1 : 0,
        r.concurrency,
        JSON.stringify(r.tolerance),
        JSON.stringify(r.plan),
        r.status,
        JSON.stringify(r.cursor),
        r.next,
        r.complete ? 1 : 0,
        JSON.stringify(r.counts),
        r.started,
        orNull(r.stopped),
        r.redrives,
        orNull(r.redriven),
        r.lastEvent,
        JSON.stringify(r.again),
        r.failure === undefined ? null : JSON.stringify(r.failure),
      );
      return;
    }
    this.run(
      `UPDATE map_runs SET status = ?, cursor = ?, next = ?, complete = ?, counts = ?, stopped = ?, redrives = ?,
        redriven = ?, last_event = ?, again = ?, failure = ? WHERE id = ?`,
      r.status,
      JSON.stringify(r.cursor),
      r.next,
      r.complete ? 1 : 0,
      JSON.stringify(r.counts),
      orNull(r.stopped),
      r.redrives,
      orNull(r.redriven),
      r.lastEvent,
      JSON.stringify(r.again),
      r.failure === undefined ? null : JSON.stringify(r.failure),
      r.id,
    );
  }

  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }
}
