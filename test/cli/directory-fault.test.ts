import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { directoryFault } from '#cli/connect.ts';

/** What SQLite itself throws when it has no room, made small by a limit of pages. */
function fullStore(): unknown {
  const database = new DatabaseSync(':memory:');
  try {
    database.exec('PRAGMA max_page_count = 2; CREATE TABLE a (x)');
    database.prepare('INSERT INTO a VALUES (?)').run('x'.repeat(100_000));
  } catch (error) {
    return error;
  } finally {
    database.close();
  }
  return undefined;
}

const said = (error: unknown) => {
  const fault = directoryFault(error, '/data', 'Make room.');
  return fault && { message: fault.message, details: fault.details, exitCode: fault.exitCode };
};

test.each([
  ['a store without room', fullStore(), 'its disk is full'],
  ['a store on a read-only disk', { code: 'ERR_SQLITE_ERROR', errcode: 8 }, 'its file system is read-only'],
  ['a store that cannot be opened', { code: 'ERR_SQLITE_ERROR', errcode: 14 }, 'it may not be written'],
  ['an extended code', { code: 'ERR_SQLITE_ERROR', errcode: 8 + (1 << 8) }, 'its file system is read-only'],
  ['a file without room', { code: 'ENOSPC' }, 'its disk is full'],
])('%s is said in words, with what to do', (_, error, why) => {
  expect(said(error)).toEqual({
    message: `The data directory /data: ${why}.`,
    details: ['Make room.'],
    exitCode: 1,
  });
});

test.each([
  ['a broken statement', { code: 'ERR_SQLITE_ERROR', errcode: 1 }],
  ['a defect', new TypeError('x is undefined')],
])('%s is no fault of the directory', (_, error) => {
  expect(said(error)).toBeUndefined();
});
