import { fork, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { bridge, jsonl } from '#test/functions/dataset-synthesis/bridges.ts';
import { stubModels } from '#test/support/chat-server.ts';
import { goodAnswer } from './bridge-answers.ts';
import { chatStub, type ChatStub } from './chat-stub.ts';
import type { Answer, Order } from './command-shell.ts';

/** The real command: in child processes, as a user's shell starts it, and many times in one that has it loaded. */

export const ROOT = resolve(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'cli/main.ts');
const PATIENCE_MS = 120_000;

export interface Ran {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  done: Promise<Ran>;
  kill(signal: NodeJS.Signals): void;
  /** Waits until stdout or stderr holds a match, and gives it. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Settings of whoever runs the tests must not reach the command. */
function cleanEnv(more: Record<string, string>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(AGENTMILL_|AWS_|FORCE_COLOR)/.test(name));
  return { ...Object.fromEntries(kept), ...more };
}

export function start(
  command: readonly string[],
  options: { cwd: string; env?: Record<string, string>; input?: string },
): Running {
  const [program, ...args] = command;
  const child = spawn(program!, args, { cwd: options.cwd, env: cleanEnv(options.env ?? {}), stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  let ended = false;
  const listeners = new Set<() => void>();
  const heard = (): void => listeners.forEach((listener) => listener());
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    heard();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    heard();
  });
  // A command that ends without reading is not the writer's error.
  child.stdin.on('error', () => {}).end(options.input ?? '');
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  const done = new Promise<Ran>((settle, fail) => {
    child.once('error', fail);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      ended = true;
      settle({ code, signal, stdout, stderr });
      heard();
    });
  });
  return {
    done,
    kill: (signal) => void child.kill(signal),
    printed: (pattern) =>
      new Promise((settle, fail) => {
        const look = (): void => {
          const match = pattern.exec(stdout + stderr);
          if (!match && !ended) return;
          listeners.delete(look);
          if (match) settle(match);
          else
            fail(new Error(`The command ended (${child.exitCode}) without ${pattern}:\n${stdout}${stderr}`));
        };
        listeners.add(look);
        look();
      }),
  };
}

/** Command lines run one after the other in one process, which spares each the time to load the command. */
export class Shell {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { settle(ran: Ran): void; fail(error: Error): void }>();
  #next = 0;
  readonly #ended: Promise<void>;

  constructor(options: { cwd: string; env?: Record<string, string> }) {
    this.#child = fork(join(import.meta.dirname, 'command-shell.ts'), {
      cwd: options.cwd,
      env: cleanEnv(options.env ?? {}),
      execPath: process.execPath,
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', ({ id, ...ran }: Answer) => {
      this.#waiting.get(id)?.settle({ ...ran, signal: null });
      this.#waiting.delete(id);
    });
    this.#ended = new Promise((settle) => {
      this.#child.once('close', (code, signal) => {
        for (const { fail } of this.#waiting.values())
          fail(new Error(`The shell ended (${code ?? signal}) within a command.`));
        settle();
      });
    });
  }

  run(args: readonly string[]): Promise<Ran> {
    const id = this.#next++;
    return new Promise((settle, fail) => {
      this.#waiting.set(id, { settle, fail });
      this.#child.send({ id, args: [...args] } satisfies Order);
    });
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

/** A model that has given as many answers as it was to give, and keeps the requests after them waiting. */
export interface Pause {
  /** Resolves once the answers are given and another request waits. */
  reached: Promise<void>;
  /** Answers what waits, and goes on; what comes from now on takes `thinkMs` each. */
  release(thinkMs?: number): void;
}

/** A folder of a user's own, the command in it, and a scripted model that is called `stub` and costs $1 a million tokens out. */
export interface Desk {
  dir: string;
  stub: ChatStub;
  /** `agentmill ...` on a data directory below the folder. */
  agentmill(dataDir: string, args: readonly string[], input?: string): Running;
  run(dataDir: string, args: readonly string[], input?: string): Promise<Ran>;
  /** The same in a process that has run others before: for what is not about the process itself. */
  call(dataDir: string, args: readonly string[]): Promise<Ran>;
  /** Lets the model give `answers` more and then wait. */
  pauseAfter(answers: number): Pause;
  close(): Promise<void>;
}

/** When the model answers. */
class Tempo {
  #left = Infinity;
  #thinkMs = 0;
  #waiting: (() => void)[] = [];
  #reached: (() => void) | undefined;

  async turn(): Promise<void> {
    if (this.#left > 0) this.#left--;
    else {
      const released = new Promise<void>((settle) => this.#waiting.push(settle));
      this.#reached?.();
      return released;
    }
    if (this.#thinkMs > 0) await new Promise((settle) => setTimeout(settle, this.#thinkMs));
  }

  pauseAfter(answers: number): Pause {
    this.#left = answers;
    this.#thinkMs = 0;
    const reached = new Promise<void>((settle) => (this.#reached = settle));
    return {
      reached,
      release: (thinkMs = 0) => {
        this.#left = Infinity;
        this.#thinkMs = thinkMs;
        for (const settle of this.#waiting.splice(0)) settle();
      },
    };
  }
}

export async function openDesk(documents: number): Promise<Desk> {
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-cli-'));
  const tempo = new Tempo();
  const stub = await chatStub(async (call) => {
    await tempo.turn();
    return goodAnswer(call);
  });
  const models = join(dir, 'models.json');
  await writeFile(
    models,
    stubModels(stub.url, { limits: { rpm: 60_000, tpm: 600_000_000, concurrency: 4 } }),
  );
  await writeFile(join(dir, 'bridges.jsonl'), jsonl(Array.from({ length: documents }, (_, n) => bridge(n))));
  const running = new Set<Running>();
  const env = { AGENTMILL_MODELS: models };
  let shell: Shell | undefined;
  const desk: Desk = {
    dir,
    stub,
    agentmill(dataDir, args, input) {
      const command = start([process.execPath, MAIN, ...args, '--data-dir', dataDir], {
        cwd: dir,
        env,
        ...(input === undefined ? {} : { input }),
      });
      running.add(command);
      void command.done.finally(() => running.delete(command)).catch(() => {});
      return command;
    },
    run: (dataDir, args, input) => desk.agentmill(dataDir, args, input).done,
    call: (dataDir, args) => (shell ??= new Shell({ cwd: dir, env })).run([...args, '--data-dir', dataDir]),
    pauseAfter: (answers) => tempo.pauseAfter(answers),
    async close() {
      for (const command of running) command.kill('SIGKILL');
      await Promise.all([...running].map(({ done }) => done));
      await shell?.close();
      await stub.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return desk;
}
