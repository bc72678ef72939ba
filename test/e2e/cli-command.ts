import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { bridge, jsonl } from '#test/functions/dataset-synthesis/bridges.ts';
import { goodAnswer } from './bridge-answers.ts';
import { chatStub, type ChatStub } from './chat-stub.ts';

/** The real command in child processes, as a user's shell starts it. */

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
  child.stdin.end(options.input ?? '');
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  const done = new Promise<Ran>((settle, fail) => {
    child.once('error', fail);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
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
          const ended = child.exitCode !== null || child.signalCode !== null;
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

/** A folder of a user's own, the command in it, and a scripted model that is called `stub` and costs $1 a million tokens out. */
export interface Desk {
  dir: string;
  stub: ChatStub;
  /** `agentmill ...` on a data directory below the folder. */
  agentmill(dataDir: string, args: readonly string[], input?: string): Running;
  run(dataDir: string, args: readonly string[], input?: string): Promise<Ran>;
  /** Resolves when the model has answered `n` more requests. */
  answered(n: number): Promise<void>;
  /** How long the model thinks. */
  latencyMs: number;
  close(): Promise<void>;
}

export async function openDesk(documents: number): Promise<Desk> {
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-cli-'));
  const waiting: { at: number; settle: () => void }[] = [];
  const stub = await chatStub(async (call) => {
    await new Promise((settle) => setTimeout(settle, desk.latencyMs));
    for (const { at, settle } of waiting) if (stub.answered.length + 1 >= at) settle();
    return goodAnswer(call);
  });
  const models = join(dir, 'models.json');
  await writeFile(
    models,
    JSON.stringify({
      models: [
        { name: 'builtin', provider: 'builtin' },
        {
          name: 'stub',
          provider: 'openai',
          endpoint: { url: stub.url, auth: { type: 'none' } },
          contextTokens: 32_768,
          maxOutputTokens: 2048,
          price: [{ from: '2020-01-01', inputPerMTok: 0, outputPerMTok: 1 }],
          billing: 'token',
          limits: { rpm: 60_000, tpm: 600_000_000, concurrency: 4 },
          features: { jsonSchema: true, tools: false, streaming: false },
        },
      ],
      routes: [],
    }),
  );
  await writeFile(join(dir, 'bridges.jsonl'), jsonl(Array.from({ length: documents }, (_, n) => bridge(n))));
  const running = new Set<Running>();
  const desk: Desk = {
    dir,
    stub,
    latencyMs: 0,
    agentmill(dataDir, args, input) {
      const command = start([process.execPath, MAIN, ...args, '--data-dir', dataDir], {
        cwd: dir,
        env: { AGENTMILL_MODELS: models },
        ...(input === undefined ? {} : { input }),
      });
      running.add(command);
      void command.done.finally(() => running.delete(command)).catch(() => {});
      return command;
    },
    run: (dataDir, args, input) => desk.agentmill(dataDir, args, input).done,
    answered: (n) =>
      new Promise((settle) => waiting.push({ at: stub.answered.length + n, settle: () => settle() })),
    async close() {
      for (const command of running) command.kill('SIGKILL');
      await Promise.all([...running].map(({ done }) => done));
      await stub.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return desk;
}
