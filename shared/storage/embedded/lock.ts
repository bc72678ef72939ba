import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';

/**
 * Takes the lock that makes this process the owner of a data directory's engine. It is the operating system's lock on
 * `engine.lock`, held through an open SQLite transaction, so it dies with the process however that ends.
 *
 * @returns undefined when another process (or another caller in this one) owns it.
 */
export function acquireEngineLock(dataDir: string): { release(): void } | undefined {
  const db = new DatabaseSync(join(dataDir, 'engine.lock'), { timeout: 0 });
  try {
    db.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    // 5 is SQLITE_BUSY, also in the low byte of its extended codes.
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === 5) return undefined;
    throw error;
  }
  return { release: () => db.close() };
}
