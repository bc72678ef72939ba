import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { Inference } from '../door/infer.ts';
import { partKey, withPart, type Checkpoint, type CheckpointState } from './checkpoint.ts';
import type { PartLine } from './traces.ts';

const EVERY_MS = 10_000;
/** Results waiting to be written, in parts, before reading of further requests waits too. */
const MAX_WAITING_PARTS = 4;

/** Stores results in order, a part every so many or every 10 s, each followed by its checkpoint. */
export class PartWriter {
  readonly #runtime: Runtime;
  readonly #prefix: string;
  readonly #checkpoint: Checkpoint;
  readonly #every: number;
  #waiting: PartLine[] = [];
  /** The checkpoint as it will be when everything waiting is stored. */
  #next: CheckpointState;
  #writing: Promise<void> = Promise.resolve();
  #busy = 0;
  #last: number;
  #failed: ((error: unknown) => void) | undefined;
  #failure: { error: unknown } | undefined;
  readonly #start: number;

  constructor(runtime: Runtime, prefix: string, checkpoint: Checkpoint, every: number) {
    this.#runtime = runtime;
    this.#prefix = prefix;
    this.#checkpoint = checkpoint;
    this.#every = every;
    this.#next = checkpoint.state;
    this.#last = runtime.clock.now();
    this.#start = checkpoint.state.nextLine;
  }

  onFailure(listener: (error: unknown) => void): void {
    this.#failed = listener;
  }

  /** Whether a line was after the checkpoint that this run began with. */
  moved(index: number): boolean {
    return index >= this.#start;
  }

  add({ result, trace }: Inference): void {
    this.#waiting.push({ ...result, trace });
    const { counts } = this.#next;
    this.#next = {
      ...this.#next,
      costMicros: this.#next.costMicros + trace.costMicros,
      counts: {
        total: counts.total + 1,
        ok: counts.ok + (result.status === 'ok' ? 1 : 0),
        rejected: counts.rejected + (result.status === 'rejected' ? 1 : 0),
        failed: counts.failed + (result.status === 'failed' ? 1 : 0),
        cached: counts.cached + (trace.cached ? 1 : 0),
      },
    };
    if (this.#waiting.length >= this.#every || this.#runtime.clock.now() - this.#last >= EVERY_MS)
      this.#cut();
  }

  /** Waits while too much is waiting to be stored. */
  async room(): Promise<void> {
    if (this.#busy >= MAX_WAITING_PARTS) await this.#writing;
  }

  /** Stores what is left. @throws what a write failed with. */
  async finish(complete: boolean): Promise<void> {
    if (this.#waiting.length > 0 || complete) this.#cut(complete);
    await this.#writing;
    if (this.#failure) throw this.#failure.error;
  }

  #cut(complete = false): void {
    const rows = this.#waiting;
    const first = this.#next.nextLine;
    this.#waiting = [];
    this.#last = this.#runtime.clock.now();
    this.#next = {
      ...this.#next,
      nextLine: first + rows.length,
      parts: rows.length > 0 ? withPart(this.#next.parts, rows.length) : this.#next.parts,
      read: complete,
    };
    const state = this.#next;
    this.#busy++;
    this.#writing = this.#writing.then(async () => {
      try {
        if (this.#failure) return;
        if (rows.length > 0) {
          await writeJsonl(this.#runtime.artifacts, partKey(this.#prefix, first, rows.length), rows, {
            tags: { keep: 'work' },
          });
        }
        await this.#checkpoint.save(state);
      } catch (error) {
        this.#failure ??= { error };
        this.#failed?.(error);
      } finally {
        this.#busy--;
      }
    });
  }
}
