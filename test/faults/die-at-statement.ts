import { appendFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { StatementSync } from 'node:sqlite';
import { isMainThread } from 'node:worker_threads';

/**
 * Preloaded into a command's process (`--import`): counts the SQLite statements it runs, kills it at the one it was
 * told to, and writes how many it ran where it ends by itself. A statement is a moment that does not depend on how
 * fast the machine is, and between two of them a process changes nothing that outlives it but files and calls.
 *
 * DIE_AT_STATEMENT: the statement that is its last, from 0. DIE_AFTER_MS: so long after that one, at once without.
 * STATEMENTS_FILE: where the count is written.
 */

const { DIE_AT_STATEMENT: at, DIE_AFTER_MS: after, STATEMENTS_FILE: file } = process.env;

// Threads and child processes inherit the flag: only the command itself, or the engine of states-child.ts, is meant.
if (isMainThread && /(cli\/main|states-child)\.ts$/.test(process.argv[1] ?? '')) {
  const last = at === undefined ? Infinity : Number(at);
  let count = 0;
  const die = (): void => {
    // Its next life starts sooner.
    flushCompileCache();
    process.kill(process.pid, 'SIGKILL');
  };
  const passed = (): void => {
    if (count++ !== last) return;
    if (after === undefined) die();
    else setTimeout(die, Number(after));
  };
  const counted = <This, Args extends unknown[], R>(method: (this: This, ...args: Args) => R) =>
    function (this: This, ...args: Args): R {
      passed();
      return method.apply(this, args);
    };
  const { prototype } = StatementSync;
  prototype.run = counted(prototype.run) as typeof prototype.run;
  prototype.get = counted(prototype.get) as typeof prototype.get;
  prototype.all = counted(prototype.all) as typeof prototype.all;
  if (file !== undefined) process.once('exit', () => appendFileSync(file, `${count}\n`));
}
