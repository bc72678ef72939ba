import type { Store } from './store.ts';

/** History is kept for 90 days after an execution's end. */
const KEPT_MS = 90 * 86_400_000;
const BATCH = 200;

/** Deletes what ended more than 90 days ago; returns how many executions that were. */
export function sweep(store: Store, now: number): number {
  let swept = 0;
  for (;;) {
    const rows = store.all<{ id: number }>(
      `SELECT id FROM executions WHERE stopped IS NOT NULL AND stopped < ? LIMIT ${BATCH}`,
      now - KEPT_MS,
    );
    store.transaction(() => {
      for (const { id } of rows) {
        for (const table of ['events', 'frames', 'timers', 'tasks', 'map_runs']) {
          store.run(`DELETE FROM ${table} WHERE execution = ?`, id);
        }
        store.run('DELETE FROM executions WHERE id = ?', id);
      }
    });
    swept += rows.length;
    if (rows.length < BATCH) return swept;
  }
}
