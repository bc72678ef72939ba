import { cancelled, defect } from '#shared/task/errors.ts';
import { readAnswer } from './answers.ts';
import { SandboxChild, type Delivery } from './child.ts';
import { LIMITS } from './limits.ts';
import type { Slots } from './slots.ts';
import { doubtSnapshot, snapshotFor } from './snapshot.ts';
import type { SandboxErrorType, SandboxPackage, SandboxRequest, SandboxResult } from './types.ts';
import { NoWheel, wheelsFor } from './wheels.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** A request on its way to a result. */
interface Task {
  request: SandboxRequest;
  /** What its child must be made for. */
  kind: string;
  /** Children that died over it without our doing. */
  deaths: number;
  /** The child it was sent to. */
  child?: SandboxChild;
  resolve(result: SandboxResult): void;
  reject(error: unknown): void;
}

/** Messages ahead of the one being worked on: enough that the child never waits for us. */
const MAX_AHEAD = 64;
/** How much work may lie ahead in a child, while another might take it. */
const AHEAD_MS = 20;
/** Times a case may take a child with it before it is called Crashed. */
const MAX_DEATHS = 2;
/** A lane that others wait for gives its place up after this long. */
const TURN_MS = 2_000;
const IDLE_MS = 10_000;
const BOOT_TRIES = 3;

const packagesOf = (request: SandboxRequest): SandboxPackage[] => [...new Set(request.packages ?? [])].sort();

/** What a child must be made for: requests of other kinds need another child. */
const kindOf = (request: SandboxRequest): string => `${request.memoryMb} ${packagesOf(request).join(',')}`;

/** A result that says why there is no value. */
export const failed = (
  id: string,
  type: SandboxErrorType | (string & {}),
  message: string,
  ms = 0,
): SandboxResult => ({
  id,
  ok: false,
  error: { type, message: message.slice(0, LIMITS.messageChars) },
  stdout: '',
  ms,
});

/**
 * The children of one unit: a shard, a cluster, a question. None of them ever serves another unit. Requests wait in one
 * queue; each lane is a place for a child, which takes from the queue several ahead.
 */
export class Unit {
  private readonly slots: Slots;
  private readonly env: Env;
  private readonly queue: Task[] = [];
  private readonly lanes = new Set<Promise<void>>();
  private readonly children = new Set<SandboxChild>();
  private wakeIdle = new Set<() => void>();
  private meanMs = AHEAD_MS;
  private ended = false;

  constructor(slots: Slots, env: Env) {
    this.slots = slots;
    this.env = env;
  }

  /** Nothing runs, waits or idles here. */
  get empty(): boolean {
    return this.lanes.size === 0 && this.queue.length === 0;
  }

  /** The result of a request; rejects only when no child can be had, or with the signal. */
  submit(request: SandboxRequest, lanes: number, signal?: AbortSignal): Promise<SandboxResult> {
    return new Promise((resolve, reject) => {
      const stop = (): void => this.abort(task);
      const release = (): void => signal?.removeEventListener('abort', stop);
      const task: Task = {
        request,
        kind: kindOf(request),
        deaths: 0,
        resolve: (result) => (release(), resolve(result)),
        reject: (error) => (release(), reject(error)),
      };
      if (this.ended || signal?.aborted) {
        reject(cancelled('The sandbox run was cancelled.'));
        return;
      }
      signal?.addEventListener('abort', stop, { once: true });
      this.queue.push(task);
      const [idle] = this.wakeIdle;
      if (idle) idle();
      else if (this.lanes.size < Math.max(1, lanes)) this.openLane();
    });
  }

  /** Ends every child; what was still running is cancelled. */
  async close(): Promise<void> {
    this.ended = true;
    this.rejectQueue(cancelled('The sandbox was closed.'));
    for (const wake of this.wakeIdle) wake();
    await Promise.all([...this.children].map((child) => child.kill()));
    await Promise.all(this.lanes);
  }

  private abort(task: Task): void {
    const at = this.queue.indexOf(task);
    if (at >= 0) this.queue.splice(at, 1);
    task.reject(cancelled('The sandbox run was cancelled.'));
    // The others of this child are run again in a new one.
    if (at < 0) void task.child?.kill('Closed', 'a run was cancelled');
  }

  private rejectQueue(error: unknown): void {
    for (const task of this.queue.splice(0)) task.reject(error);
  }

  private openLane(): void {
    const lane = this.lane()
      .catch((error: unknown) => this.rejectQueue(error))
      .finally(() => {
        this.lanes.delete(lane);
        // Work that came while the lane was closing.
        if (this.queue.length > 0 && this.lanes.size === 0 && !this.ended) this.openLane();
      });
    this.lanes.add(lane);
  }

  private async lane(): Promise<void> {
    await this.slots.take();
    let child: { process: SandboxChild; kind: string } | undefined;
    try {
      // A turn begins when its first child is there: where starting one takes longer than a turn, work is done all the same.
      let since = Infinity;
      while (!this.ended && !(this.slots.wanted && performance.now() - since > TURN_MS)) {
        const next = this.queue[0];
        if (!next) {
          if (child && (await this.idle(child.process))) continue;
          return;
        }
        const { kind } = next;
        if (!child || child.kind !== kind || !usable(child.process)) {
          if (child) await this.retire(child.process);
          child = undefined;
          const process = await this.openChild(next.request);
          if (!process) continue;
          child = { process, kind };
          since = Math.min(since, performance.now());
        }
        await this.drive(child.process, kind, since);
      }
    } finally {
      if (child) await this.retire(child.process);
      this.slots.give();
    }
  }

  /** Waits for work with the child kept warm; false when it is to be given up. */
  private async idle(child: SandboxChild): Promise<boolean> {
    if (this.slots.wanted || !usable(child)) return false;
    child.setIdle(true);
    const worth = await new Promise<boolean>((resolve) => {
      const done = (again: boolean) => () => {
        clearTimeout(timer);
        this.wakeIdle.delete(wake);
        unwatch();
        resolve(again);
      };
      const wake = done(true);
      const timer = setTimeout(done(false), IDLE_MS).unref();
      const unwatch = this.slots.onWanted(done(false));
      this.wakeIdle.add(wake);
    });
    child.setIdle(false);
    return worth;
  }

  private async retire(child: SandboxChild): Promise<void> {
    await child.kill();
    this.children.delete(child);
  }

  /**
   * A child for requests of this kind. Without one, requests of packages that are not here are answered so.
   * @throws Defect when the interpreter does not start.
   */
  private async openChild(request: SandboxRequest): Promise<SandboxChild | undefined> {
    const packages = packagesOf(request);
    let wheels;
    try {
      wheels = wheelsFor(this.env, packages);
    } catch (error) {
      if (!(error instanceof NoWheel)) throw error;
      const kind = kindOf(request);
      for (const task of this.queue.splice(0)) {
        if (task.kind !== kind) this.queue.push(task);
        else task.resolve(failed(task.request.id, 'PackageUnavailable', error.message));
      }
      return undefined;
    }
    for (let attempt = 1; ; attempt++) {
      const snapshot = await snapshotFor(this.env, wheels, packages);
      const child = new SandboxChild({ mode: 'run', snapshot, wheels, packages, memoryMb: request.memoryMb });
      this.children.add(child);
      try {
        await child.ready;
        return child;
      } catch (error) {
        await this.retire(child);
        if (this.ended) return undefined;
        doubtSnapshot(snapshot);
        if (attempt === BOOT_TRIES) {
          throw defect(`The sandbox's interpreter does not start: ${(error as Error).message}`);
        }
      }
    }
  }

  /** Feeds the child until there is nothing more of its kind, or it is spent or gone. */
  private drive(child: SandboxChild, kind: string, since: number): Promise<void> {
    return new Promise((done) => {
      let ahead = 0;
      const depth = (): number => Math.max(2, Math.min(MAX_AHEAD, Math.floor(AHEAD_MS / this.meanMs)));
      const wanted = (): Task | undefined => {
        if (ahead >= depth() || !usable(child, ahead)) return undefined;
        if (this.slots.wanted && performance.now() - since > TURN_MS) return undefined;
        const next = this.queue[0];
        return next?.kind === kind ? this.queue.shift() : undefined;
      };
      const pump = (): void => {
        // Several at a time: a write of its own for each costs more than the run's own messages.
        if (ahead > 0 && ahead > depth() / 2) return;
        for (let task = wanted(); task; task = wanted()) {
          const sent = task;
          ahead++;
          sent.child = child;
          void this.send(child, sent).then((delivery) => {
            ahead--;
            this.settle(sent, child, delivery);
            pump();
          });
        }
        if (ahead === 0) done();
      };
      pump();
    });
  }

  private send(child: SandboxChild, { request }: Task): Promise<Delivery> {
    return child.send(
      {
        code: request.code,
        setup: request.setup ?? null,
        call: request.call ?? null,
        seed: request.seed,
        memoryBytes: request.memoryMb * 2 ** 20,
      },
      request.timeoutMs,
    );
  }

  private settle(task: Task, child: SandboxChild, delivery: Delivery): void {
    const { id } = task.request;
    if (delivery.answered) {
      const checked = readAnswer(id, delivery.answer);
      if (!checked) {
        void child.kill('Closed', 'an answer could not be read');
        task.resolve(failed(id, 'Crashed', 'the interpreter gave no answer that can be read'));
        return;
      }
      this.meanMs = Math.max(0.1, this.meanMs * 0.8 + checked.result.ms * 0.2);
      if (checked.ended) void child.kill('Closed', 'its interpreter is not trusted any more');
      task.resolve(checked.result);
      return;
    }
    if (this.ended) {
      task.reject(cancelled('The sandbox was closed.'));
      return;
    }
    const { ending, head, detail } = delivery;
    if (!head || ending === 'Closed') this.requeue(task);
    else if (ending !== 'Crashed') {
      task.resolve(failed(id, ending, detail, ending === 'Timeout' ? task.request.timeoutMs : 0));
    } else if (++task.deaths >= MAX_DEATHS) task.resolve(failed(id, 'Crashed', detail));
    else this.requeue(task);
  }

  /** Back to the front, in the order of sending: deliveries of one child come in that order. */
  private requeue(task: Task): void {
    const { child } = task;
    const at = this.queue.findIndex((other) => other.child !== child);
    this.queue.splice(at < 0 ? this.queue.length : at, 0, task);
  }
}

/** Whether a child may be given more, with so many under way. */
const usable = (child: SandboxChild, ahead = 0): boolean =>
  child.alive && child.answered + ahead < LIMITS.casesPerChild && child.busyMs < LIMITS.busyMsPerChild;
