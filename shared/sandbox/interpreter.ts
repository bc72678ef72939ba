import type { Json } from '#shared/storage/ports.ts';
import { defect } from '#shared/task/errors.ts';
import { SandboxChild } from './child.ts';
import { doubtSnapshot, snapshotFor } from './snapshot.ts';
import type { Interpreter } from './types.ts';

export interface InterpreterOptions {
  /** Processes that share the calls; default 1. */
  processes?: number;
  /** Milliseconds that one call may take; default 120,000. */
  timeoutMs?: number;
  /** Cap of each interpreter's memory in MB; default 512. */
  memoryMb?: number;
  /** Settings that matter here (`AGENTMILL_SANDBOX_CACHE`); default the process's. */
  env?: Readonly<Record<string, string | undefined>>;
}

interface Answer {
  ok: boolean;
  value?: Json;
  message?: string;
}

/**
 * Opens interpreters for a Python program of our own: its functions take and give JSON. A process that dies is
 * replaced; the call it died over is tried once more.
 * @param program definitions; run once in each process. Its functions must not depend on earlier calls.
 */
export async function openInterpreter(
  program: string,
  options: InterpreterOptions = {},
): Promise<Interpreter> {
  const { processes = 1, timeoutMs = 120_000, memoryMb = 512, env = process.env } = options;
  const places: (Promise<SandboxChild> | undefined)[] = Array.from({ length: Math.max(1, processes) });
  let closed = false;

  const start = async (): Promise<SandboxChild> => {
    for (let attempt = 1; ; attempt++) {
      const snapshot = await snapshotFor(env, [], []);
      const child = new SandboxChild({
        mode: 'program',
        snapshot,
        wheels: [],
        packages: [],
        memoryMb,
        program,
      });
      try {
        await child.ready;
        child.setIdle(true);
        return child;
      } catch (error) {
        await child.kill();
        doubtSnapshot(snapshot);
        if (attempt === 2) throw defect(`The Python interpreter does not start: ${(error as Error).message}`);
      }
    }
  };

  const loads: number[] = places.map(() => 0);
  const opened = async (at: number): Promise<SandboxChild> => {
    const present = await places[at]?.catch(() => undefined);
    if (present?.alive) return present;
    const made = start();
    places[at] = made;
    return made;
  };

  const once = async (name: string, args: Json[]): Promise<Answer | string> => {
    const at = loads.indexOf(Math.min(...loads));
    loads[at]!++;
    try {
      const child = await opened(at);
      child.setIdle(false);
      const delivery = await child.send(
        { name, args: JSON.stringify(args), memoryBytes: memoryMb * 2 ** 20 },
        timeoutMs,
      );
      if (child.load === 0) child.setIdle(true);
      return delivery.answered ? (delivery.answer as Answer) : `${delivery.ending}: ${delivery.detail}`;
    } finally {
      loads[at]!--;
    }
  };

  // The first process shows that the program is sound.
  await opened(0);
  return {
    async call(name, ...args) {
      if (closed) throw defect('The Python interpreter is closed.');
      let answer = await once(name, args);
      if (typeof answer === 'string' && !closed) answer = await once(name, args);
      if (typeof answer === 'string')
        throw defect(`The Python program's ${name}() gave no answer: ${answer}`);
      if (!answer.ok) throw defect(`The Python program's ${name}() failed: ${answer.message ?? ''}`);
      return answer.value ?? null;
    },
    async close() {
      closed = true;
      await Promise.all(
        places.map(async (place) => {
          const child = await place?.catch(() => undefined);
          await child?.kill();
        }),
      );
    },
  };
}
