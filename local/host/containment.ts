import { AsyncLocalStorage } from 'node:async_hooks';
import { FunctionError, thrownError } from './errors.ts';

/**
 * Keeps what goes wrong in one task from the others and from the process. On Lambda each task has a process of its
 * own to bring down; here an error that nobody catches is traced to its invocation by AsyncLocalStorage and fails only
 * that.
 */
export interface Contained {
  /** Fails the invocation, unless it has ended already. */
  fail(error: Error): void;
}

const current = new AsyncLocalStorage<Contained>();
let users = 0;
let originalExit: typeof process.exit | undefined;

function onRejection(reason: unknown): void {
  const invocation = current.getStore();
  if (!invocation) return uncontained('unhandledRejection', reason);
  const message = reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason);
  invocation.fail(new FunctionError('Runtime.UnhandledPromiseRejection', message, { cause: reason }));
}

function onException(error: unknown): void {
  const invocation = current.getStore();
  if (!invocation) return uncontained('uncaughtException', error);
  invocation.fail(thrownError(error));
}

/** The process's own faults end it, as they would without this module; other listeners go first. */
function uncontained(event: 'unhandledRejection' | 'uncaughtException', error: unknown): void {
  if (process.listenerCount(event) > 1) return;
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  (originalExit ?? process.exit)(1);
}

function refuseExit(code?: string | number | null): never {
  const invocation = current.getStore();
  if (!invocation) return originalExit!(code);
  const error = new FunctionError(
    'Runtime.ExitError',
    `The task called process.exit(${String(code ?? '')}), which is refused.`,
  );
  // Also where the task catches what is thrown here: it meant to end.
  invocation.fail(error);
  throw error;
}

/** Starts containing, process-wide; returns how to stop. Hosts share it: the last one to stop undoes it. */
export function installContainment(): () => void {
  if (users++ === 0) {
    process.on('unhandledRejection', onRejection);
    process.on('uncaughtException', onException);
    originalExit = process.exit;
    process.exit = refuseExit;
  }
  let installed = true;
  return () => {
    if (!installed) return;
    installed = false;
    if (--users > 0) return;
    process.off('unhandledRejection', onRejection);
    process.off('uncaughtException', onException);
    if (originalExit) process.exit = originalExit;
  };
}

/** Runs `body` so that its stray errors reach `invocation`. */
export function contained<T>(invocation: Contained, body: () => T): T {
  return current.run(invocation, body);
}
