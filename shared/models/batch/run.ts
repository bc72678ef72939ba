import { readJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import {
  AgentmillError,
  deadlineExceeded,
  invalidInput,
  isError,
  modelUnavailable,
} from '#shared/task/errors.ts';
import type { InferContext } from '../context.ts';
import type { Door } from '../door/door.ts';
import { inferThrough, type Inference } from '../door/infer.ts';
import { MAX_REQUEST_LINE_BYTES } from '../request-schema.ts';
import type { InferRequest } from '../types.ts';
import { assemble, retryable } from './assemble.ts';
import { Checkpoint, unfinished, type BatchOutput } from './checkpoint.ts';
import { EarlyStop } from './early-stop.ts';
import { PartWriter } from './parts.ts';
import { watchForStop, type StopWatch } from './stop.ts';
import { OrderedWindow } from './window.ts';

const DEFAULT_CONCURRENCY = 32;
const WINDOW_FACTOR = 8;
/** How long before the deadline a batch stops itself and asks to be continued. */
const STOP_BEFORE_MS = 15_000;
/** The door keeps this much before the deadline it is given. */
const DOOR_MARGIN_MS = 3000;
export const DEFAULT_CHECKPOINT_EVERY = 50;

export interface BatchInput {
  requests: ArtifactRef;
  /** Where parts, results, rejects and traces go. */
  prefix: string;
  concurrency?: number;
  checkpointEvery?: number;
}

/**
 * Answers a file of requests (model-inference section 11): results leave in the order of the requests, checkpoints
 * let a killed task go on where it was, and failures that may pass get one more try.
 * @returns `done: false` when the deadline came first: the same call again goes on.
 * @throws InvalidInput naming the line (a bad request, a repeated id), ModelUnavailable on early stop, and what infer
 *   throws; the results so far are checkpointed.
 */
export async function runBatch(door: Door, input: BatchInput, ctx: InferContext): Promise<BatchOutput> {
  const { records, ids } = ctx.runtime;
  const checkpoint = await Checkpoint.open(records, { ...input, jobId: ctx.jobId }, ids.hex(64));
  if (checkpoint.state.output) return checkpoint.state.output;

  const session = new Session(door, input, ctx, checkpoint);
  try {
    if (!checkpoint.state.read && !(await session.readAll())) return session.unfinished();
    const retried = await session.retryFailed();
    if (!retried) return session.unfinished();
    const output = await assemble(ctx.runtime.artifacts, input.prefix, checkpoint.state, retried, ctx.stage);
    const whole: BatchOutput = { ...output, costMicros: session.costMicros, done: true };
    await checkpoint.save({ ...checkpoint.state, output: whole });
    return whole;
  } finally {
    session.dispose();
    await door.release(ctx.jobId);
    door.metrics.flush(ctx.runtime, { jobId: ctx.jobId });
  }
}

/** One run of a batch. */
class Session {
  readonly #door: Door;
  readonly #input: BatchInput;
  readonly #ctx: InferContext;
  readonly #checkpoint: Checkpoint;
  readonly #watch: StopWatch;
  readonly #concurrency: number;
  #window: OrderedWindow<Inference> | undefined;
  #stopped: Error | undefined;
  /** What the batch has cost, in all its runs. */
  costMicros: number;

  constructor(door: Door, input: BatchInput, ctx: InferContext, checkpoint: Checkpoint) {
    this.#door = door;
    this.#input = input;
    this.#checkpoint = checkpoint;
    this.#concurrency = input.concurrency ?? DEFAULT_CONCURRENCY;
    this.costMicros = checkpoint.state.costMicros;
    this.#watch = watchForStop(ctx.runtime, ctx.jobId, ctx.signal, (reason) => {
      this.#stopped = reason;
      this.#window?.stop(reason);
    });
    const deadline =
      ctx.deadline === undefined ? {} : { deadline: ctx.deadline - STOP_BEFORE_MS + DOOR_MARGIN_MS };
    this.#ctx = { ...ctx, ...deadline, signal: this.#watch.signal };
  }

  dispose(): void {
    this.#watch.dispose();
  }

  #open(concurrency: number, give: (inference: Inference) => void): OrderedWindow<Inference> {
    const window = new OrderedWindow<Inference>({ concurrency, window: WINDOW_FACTOR * concurrency }, give);
    this.#window = window;
    if (this.#stopped) window.stop(this.#stopped);
    return window;
  }

  /** Whether there is time to start anything. */
  #checkDeadline(window: OrderedWindow<Inference>): void {
    const { deadline, runtime } = this.#ctx;
    if (deadline !== undefined && runtime.clock.now() >= deadline - DOOR_MARGIN_MS) {
      window.stop(deadlineExceeded('The batch goes on in its next task.'));
    }
  }

  /** Answers the requests after the checkpoint. False when the deadline came first. */
  async readAll(): Promise<boolean> {
    const every = this.#input.checkpointEvery ?? DEFAULT_CHECKPOINT_EVERY;
    const parts = new PartWriter(this.#ctx.runtime, this.#input.prefix, this.#checkpoint, every);
    const early = new EarlyStop();
    const window = this.#open(this.#concurrency, (inference) => {
      this.costMicros += inference.trace.costMicros;
      parts.add(inference);
      if (early.note(inference.result.status)) {
        window.stop(
          modelUnavailable(
            `The batch was stopped: ${early.text}. Resume it when the endpoint answers again.`,
          ),
        );
      }
    });
    parts.onFailure((error) => window.stop(error));
    try {
      let index = -1;
      for await (const { line, request } of this.#requests()) {
        index++;
        if (index < this.#checkpoint.state.nextLine && !parts.moved(index)) continue;
        this.#checkDeadline(window);
        await parts.room();
        if (!(await window.dispatch(() => this.#answer(line, request)))) break;
      }
    } catch (error) {
      window.stop(error);
    }
    await window.settled();
    const complete = window.stopped === undefined;
    await parts.finish(complete);
    return this.#verdict(window);
  }

  /**
   * Asks once more, at half the concurrency, for the requests whose failure may pass. Results by line (from 0);
   * undefined when the deadline came first.
   */
  async retryFailed(): Promise<ReadonlyMap<number, Inference> | undefined> {
    const lines = await retryable(this.#ctx.runtime.artifacts, this.#input.prefix, this.#checkpoint.state);
    const results = new Map<number, Inference>();
    if (lines.size === 0) return results;
    const order: number[] = [];
    const window = this.#open(Math.max(1, Math.floor(this.#concurrency / 2)), (inference) => {
      this.costMicros += inference.trace.costMicros;
      results.set(order.shift()!, inference);
    });
    try {
      let index = -1;
      for await (const { line, request } of this.#requests()) {
        if (!lines.has(++index)) continue;
        this.#checkDeadline(window);
        order.push(index);
        if (!(await window.dispatch(() => this.#answer(line, request)))) break;
      }
    } catch (error) {
      window.stop(error);
    }
    await window.settled();
    return (await this.#verdict(window)) ? results : undefined;
  }

  /** @throws as infer, naming the line where the request itself is at fault. */
  async #answer(line: number, request: InferRequest): Promise<Inference> {
    try {
      return await inferThrough(this.#door, request, this.#ctx);
    } catch (error) {
      if (!isError(error, 'InvalidInput') && !isError(error, 'NotFound')) throw error;
      const { name, message, problems, data } = error;
      throw new AgentmillError(name, `Line ${line} of ${this.#input.requests.key}: ${message}`, {
        problems,
        data,
        cause: error,
      });
    }
  }

  /** True when all went through, false on the deadline; other reasons are thrown. */
  async #verdict(window: OrderedWindow<Inference>): Promise<boolean> {
    if (!window.stopped) return true;
    const { error } = window.stopped;
    await this.#checkpoint.save({ ...this.#checkpoint.state, costMicros: this.costMicros });
    if (isError(error, 'DeadlineExceeded')) return false;
    throw error;
  }

  unfinished(): BatchOutput {
    return unfinished(this.#input.prefix, this.#checkpoint.state.counts, this.costMicros);
  }

  async *#requests(): AsyncGenerator<{ line: number; request: InferRequest }> {
    const seen = new Map<string, number>();
    const { artifacts } = this.#ctx.runtime;
    for await (const { line, value } of readJsonl(artifacts, this.#input.requests, {
      maxBytes: MAX_REQUEST_LINE_BYTES,
    })) {
      const request = value as InferRequest;
      const id = (value as { id?: unknown } | null)?.id;
      if (typeof id !== 'string') {
        throw invalidInput(`Line ${line} of ${this.#input.requests.key} is no request: it has no id.`);
      }
      const earlier = seen.get(id);
      if (earlier !== undefined) {
        throw invalidInput(
          `Lines ${earlier} and ${line} of ${this.#input.requests.key} have the same id "${id}".`,
        );
      }
      seen.set(id, line);
      yield { line, request };
    }
  }
}
