import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { launch, pyodideFolder } from './launch.ts';
import { LIMITS } from './limits.ts';
import { childModule } from './snapshot.ts';
import type { ChildConfig, ChildRequest } from './sandbox-child.ts';
import type { Wheel } from './wheels.ts';

/** Why a child is no more. */
export type Ending = 'Timeout' | 'OutOfMemory' | 'Crashed' | 'Closed';

/** What became of a message: an answer, or its child's end, either because of it (`head`) or before its turn. */
export type Delivery =
  { answered: true; answer: unknown } | { answered: false; ending: Ending; head: boolean; detail: string };

export interface ChildOptions {
  mode: 'run' | 'program';
  /** Its folder. */
  snapshot: string;
  wheels: readonly Wheel[];
  packages: readonly string[];
  memoryMb: number;
  program?: string;
}

interface Pending {
  timeoutMs: number;
  settle(delivery: Delivery): void;
}

const TICKS_OF_PAGE = 4_096;

/** Resident memory of a process in MB; 0 where the system does not say. */
function residentMb(pid: number): number {
  try {
    return (Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * TICKS_OF_PAGE) / 2 ** 20;
  } catch {
    return 0;
  }
}

/**
 * One interpreter process. Messages are answered in order; each has its time from when it is the first of those
 * waiting. A message over its time, or a process over its memory, ends the child: it never outlives a doubt.
 */
export class SandboxChild {
  readonly options: ChildOptions;
  /** Messages answered. */
  answered = 0;
  /** Milliseconds during which a message was being worked on. */
  busyMs = 0;
  /** When the interpreter is up; rejects with what it said when it does not come up. */
  readonly ready: Promise<void>;
  private readonly process: ChildProcessWithoutNullStreams;
  private readonly nonce = randomBytes(16).toString('hex');
  private readonly pending: Pending[] = [];
  private readonly closed: Promise<void>;
  private up = false;
  private ending: Ending | undefined;
  private detail = '';
  private rest: Buffer[] = [];
  private restBytes = 0;
  private errors = '';
  private unsent = '';
  private lastCode: string | undefined;
  private headSince = 0;
  private timer: NodeJS.Timeout | undefined;
  private watchdog: NodeJS.Timeout | undefined;

  constructor(options: ChildOptions) {
    this.options = options;
    const entry = childModule(options.snapshot);
    this.process = launch({
      memoryMb: options.memoryMb,
      entry,
      readable: [options.snapshot, dirname(entry), ...options.wheels.map((wheel) => wheel.path)],
    });
    const { stdin, stdout, stderr } = this.process;
    let resolveReady!: () => void;
    let rejectReady!: (error: Error) => void;
    this.ready = new Promise<void>((resolve, reject) => ([resolveReady, rejectReady] = [resolve, reject]));
    this.ready.catch(() => undefined);
    this.pending.push({
      timeoutMs: LIMITS.bootMs,
      settle: (delivery) => {
        if (delivery.answered) {
          this.up = true;
          resolveReady();
        } else rejectReady(new Error(`${delivery.ending}: ${this.errors || delivery.detail}`));
      },
    });
    this.startHead();
    stdout.on('data', (chunk: Buffer) => this.receive(chunk));
    stderr.on('data', (chunk: Buffer) => (this.errors = (this.errors + chunk.toString()).slice(-4_000)));
    // A child that is gone says so by closing; what was still to be written to it is of no use.
    stdin.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.process.on('error', (error) => {
        this.detail ||= error.message;
        if (this.process.pid === undefined) {
          this.finish();
          resolve();
        }
      });
      this.process.on('close', (code, signal) => {
        this.detail ||= signal ? `the process was ended by ${signal}` : `the process ended with code ${code}`;
        this.finish();
        resolve();
      });
    });
    const config: ChildConfig = {
      nonce: this.nonce,
      pyodide: pyodideFolder(),
      snapshot: options.snapshot,
      wheels: options.wheels.map(({ name, path }) => ({ name, path })),
      packages: [...options.packages],
      mode: options.mode,
      ...(options.program === undefined ? {} : { program: options.program }),
    };
    stdin.write(`${JSON.stringify(config)}\n`);
  }

  /** Messages sent and not answered. */
  get load(): number {
    return this.pending.length - (this.up ? 0 : 1);
  }

  get alive(): boolean {
    return this.ending === undefined;
  }

  /** Sends a message; the promise never rejects. */
  send(request: ChildRequest, timeoutMs: number): Promise<Delivery> {
    return new Promise((resolve) => {
      if (this.ending !== undefined) {
        resolve({ answered: false, ending: this.ending, head: false, detail: this.detail });
        return;
      }
      this.pending.push({ timeoutMs, settle: resolve });
      if (this.pending.length === 1) this.startHead();
      this.write(`${JSON.stringify(this.shortened(request))}\n`);
    });
  }

  /** The request without its code where that is the code of the one before: cases of one tool follow each other. */
  private shortened(request: ChildRequest): ChildRequest {
    if (!('code' in request)) return request;
    if (request.code === this.lastCode) return { ...request, code: null };
    this.lastCode = request.code ?? undefined;
    return request;
  }

  /** Writes what one turn of ours sends as one piece. */
  private write(text: string): void {
    if (this.unsent === '')
      process.nextTick(() => {
        this.process.stdin.write(this.unsent);
        this.unsent = '';
      });
    this.unsent += text;
  }

  /** Ends the process at once. Messages waiting are delivered as unanswered. */
  async kill(ending: Ending = 'Closed', detail = 'the sandbox was closed'): Promise<void> {
    this.setIdle(false);
    this.end(ending, detail);
    await this.closed;
  }

  /** Lets the host's process end while this child has nothing to do. */
  setIdle(idle: boolean): void {
    const streams = [this.process.stdin, this.process.stdout, this.process.stderr] as unknown as {
      ref(): void;
      unref(): void;
    }[];
    for (const handle of [this.process, ...streams]) {
      if (idle) handle.unref();
      else handle.ref();
    }
  }

  private end(ending: Ending, detail: string): void {
    if (this.ending !== undefined) return;
    this.ending = ending;
    this.detail = detail;
    this.process.kill('SIGKILL');
    this.deliverUnanswered();
  }

  /** The process is gone, by our hand or not. */
  private finish(): void {
    if (this.ending === undefined) {
      const memory = /out of memory|allocation failed|memory limit/i.test(this.errors);
      this.ending = memory ? 'OutOfMemory' : 'Crashed';
    }
    this.deliverUnanswered();
  }

  private deliverUnanswered(): void {
    clearTimeout(this.timer);
    clearInterval(this.watchdog);
    const ending = this.ending!;
    this.pending
      .splice(0)
      .forEach((waiting, index) =>
        waiting.settle({ answered: false, ending, head: index === 0, detail: this.detail }),
      );
  }

  /** The first message's time begins. */
  private startHead(): void {
    clearTimeout(this.timer);
    const head = this.pending[0];
    if (!head) {
      clearInterval(this.watchdog);
      this.watchdog = undefined;
      return;
    }
    this.headSince = performance.now();
    this.timer = setTimeout(() => this.overtime(head), head.timeoutMs);
    this.watchdog ??= setInterval(() => this.watch(), LIMITS.watchdogMs);
  }

  /** The answer may lie in the pipe, unread because this process was busy: one look at it first. */
  private overtime(head: Pending): void {
    setImmediate(() => {
      if (this.pending[0] === head) this.end('Timeout', `no result within ${head.timeoutMs} ms`);
    });
  }

  private watch(): void {
    const pid = this.process.pid;
    const limit = this.options.memoryMb + LIMITS.processMb;
    if (pid !== undefined && residentMb(pid) > limit) {
      this.end('OutOfMemory', `the interpreter's process took more than ${limit} MB`);
    }
  }

  private receive(chunk: Buffer): void {
    if (this.ending !== undefined) return;
    let from = 0;
    for (;;) {
      const newline = chunk.indexOf(10, from);
      if (newline < 0) break;
      const line = Buffer.concat([...this.rest, chunk.subarray(from, newline)]);
      this.rest = [];
      this.restBytes = 0;
      from = newline + 1;
      this.line(line.toString('utf8'));
      if (!this.alive) return;
    }
    if (from < chunk.length) {
      this.rest.push(chunk.subarray(from));
      this.restBytes += chunk.length - from;
      if (this.restBytes > this.lineBytes()) this.end('Crashed', 'an answer was too long');
    }
  }

  /** Our own programs may answer at length. */
  private lineBytes(): number {
    return this.options.mode === 'run' ? LIMITS.lineBytes : LIMITS.programLineBytes;
  }

  private line(line: string): void {
    let answer: unknown;
    try {
      if (!line.startsWith(this.nonce)) throw new Error('unsigned');
      answer = JSON.parse(line.slice(this.nonce.length));
    } catch {
      this.end('Crashed', 'the interpreter answered what is no answer');
      return;
    }
    const head = this.pending.shift();
    if (!head) {
      this.end('Crashed', 'the interpreter answered unasked');
      return;
    }
    if (this.up) {
      this.answered++;
      this.busyMs += performance.now() - this.headSince;
    }
    head.settle({ answered: true, answer });
    if (isLast(answer)) this.end('Closed', 'its interpreter is not trusted any more');
    else this.startHead();
  }
}

/** After such an answer nothing that the child says counts. */
const isLast = (answer: unknown): boolean =>
  typeof answer === 'object' && answer !== null && ('tampered' in answer || 'fatal' in answer);
