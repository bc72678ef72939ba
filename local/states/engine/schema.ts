/**
 * Tables of `states.sqlite` (embedded-platform section 6). Children of a map run are executions with `run` and `item`
 * set, so `map_items` is a view; items not yet given to a child are read again from the run's cursor.
 */
export const SCHEMA = `
CREATE TABLE IF NOT EXISTS machines (
  arn TEXT NOT NULL, sha256 TEXT NOT NULL, name TEXT NOT NULL, definition TEXT NOT NULL, current INTEGER NOT NULL,
  created INTEGER NOT NULL, PRIMARY KEY (arn, sha256)) STRICT;
CREATE TABLE IF NOT EXISTS executions (
  id INTEGER PRIMARY KEY, arn TEXT NOT NULL UNIQUE, name TEXT NOT NULL, machine TEXT NOT NULL, sha256 TEXT NOT NULL,
  run INTEGER, item INTEGER, items INTEGER, notify TEXT, express INTEGER NOT NULL, status TEXT NOT NULL,
  input TEXT NOT NULL, output TEXT, error TEXT, cause TEXT, started INTEGER NOT NULL, stopped INTEGER,
  redrives INTEGER NOT NULL, redriven INTEGER, next_event INTEGER NOT NULL, variable_bytes INTEGER NOT NULL,
  deadline INTEGER) STRICT;
CREATE INDEX IF NOT EXISTS executions_machine ON executions (machine, id) WHERE run IS NULL;
CREATE INDEX IF NOT EXISTS executions_run ON executions (run, item) WHERE run IS NOT NULL;
CREATE INDEX IF NOT EXISTS executions_live ON executions (id) WHERE status = 'RUNNING';
CREATE INDEX IF NOT EXISTS executions_notify ON executions (notify) WHERE notify IS NOT NULL;
CREATE INDEX IF NOT EXISTS executions_stopped ON executions (stopped) WHERE stopped IS NOT NULL;
CREATE TABLE IF NOT EXISTS frames (
  execution INTEGER NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL, phase TEXT NOT NULL, input TEXT NOT NULL,
  variables TEXT, entered_event INTEGER NOT NULL, entered_after INTEGER NOT NULL, entered_time INTEGER NOT NULL,
  last_event INTEGER NOT NULL, attempts TEXT NOT NULL, item TEXT, grouped TEXT, output TEXT,
  PRIMARY KEY (execution, path)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
  execution INTEGER NOT NULL, id INTEGER NOT NULL, previous INTEGER NOT NULL, type TEXT NOT NULL, time INTEGER NOT NULL,
  details TEXT, PRIMARY KEY (execution, id)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS map_runs (
  id INTEGER PRIMARY KEY, arn TEXT NOT NULL UNIQUE, execution INTEGER NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL,
  label TEXT NOT NULL, express INTEGER NOT NULL, concurrency INTEGER NOT NULL, tolerance TEXT NOT NULL, plan TEXT NOT NULL,
  status TEXT NOT NULL, cursor TEXT NOT NULL, next INTEGER NOT NULL, complete INTEGER NOT NULL, counts TEXT NOT NULL,
  started INTEGER NOT NULL, stopped INTEGER, redrives INTEGER NOT NULL, redriven INTEGER, last_event INTEGER NOT NULL,
  again TEXT NOT NULL, failure TEXT) STRICT;
CREATE INDEX IF NOT EXISTS map_runs_execution ON map_runs (execution);
CREATE VIEW IF NOT EXISTS map_items AS
  SELECT run, item AS "index", input, status, arn AS child, output FROM executions WHERE run IS NOT NULL;
CREATE TABLE IF NOT EXISTS tasks (
  token TEXT PRIMARY KEY, execution INTEGER NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL,
  resource TEXT NOT NULL, parameters TEXT NOT NULL, timeout INTEGER, heartbeat_seconds INTEGER, dispatched INTEGER,
  deadline INTEGER, heartbeat INTEGER) STRICT;
CREATE INDEX IF NOT EXISTS tasks_execution ON tasks (execution);
CREATE TABLE IF NOT EXISTS timers (
  execution INTEGER NOT NULL, path TEXT NOT NULL, due INTEGER NOT NULL, PRIMARY KEY (execution, path)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, command TEXT NOT NULL, created INTEGER NOT NULL, reply TEXT) STRICT;
`;

/** Version of the schema above. */
export const SCHEMA_VERSION = 1;
