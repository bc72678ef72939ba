import { Worker } from 'node:worker_threads';
import { moduleBeside } from '#shared/task/beside.ts';
import type { ExtractJob, ExtractReply } from './extract-worker.ts';
import type { ExtractedPage } from './extract.ts';

/** Time for one page. */
export const EXTRACT_MS = 10_000;
/** Time for a thread to start. */
const START_MS = 30_000;
const IDLE_MS = 60_000;
/** A page that needs more memory than this is no page. */
const LIMITS = { maxOldGenerationSizeMb: 512, stackSizeMb: 8 };

/**
 * What a catalog entry needs for it: spread into a task.
 *
 * @example slice: { entry: 'tasks/slice.ts', …, packages: [...EXTRACTOR_EXTRAS.packages], modules: [...] }
 */
export const EXTRACTOR_EXTRAS = {
  packages: ['linkedom', '@mozilla/readability', 'turndown', '@joplin/turndown-plugin-gfm'],
  modules: ['shared/web/extract-worker.ts'],
};

interface Job extends ExtractJob {
  resolve(page: ExtractedPage): void;
  reject(error: Error): void;
}

/** Reads pages in a thread of its own, one after the other; a page that takes too long ends the thread. */
export class Extractor {
  readonly #module: URL;
  readonly #limitMs: number;
  readonly #waiting: Job[] = [];
  #worker: Worker | undefined;
  #ready = false;
  #current: Job | undefined;
  #timer: NodeJS.Timeout | undefined;
  #jobs = 0;

  constructor(options: { worker?: URL; limitMs?: number } = {}) {
    this.#module = options.worker ?? moduleBeside(import.meta.url, 'extract-worker');
    this.#limitMs = options.limitMs ?? EXTRACT_MS;
  }

  /** @throws Error saying why the page cannot be read, in words for whoever asked for it. */
  extract(html: string): Promise<ExtractedPage> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id: ++this.#jobs, html, resolve, reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    for (const job of this.#waiting.splice(0)) job.reject(new Error('reading was stopped'));
    await this.#end('reading was stopped');
  }

  #next(): void {
    if (this.#current) return;
    const job = this.#waiting.shift();
    clearTimeout(this.#timer);
    if (!job) {
      this.#worker?.unref();
      this.#timer = setTimeout(() => void this.#end(), IDLE_MS).unref();
      return;
    }
    this.#current = job;
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    if (this.#ready) this.#give(worker, job);
    else this.#timer = setTimeout(() => void this.#end('the page cannot be read now'), START_MS);
  }

  #give(worker: Worker, job: Job): void {
    clearTimeout(this.#timer);
    const why = `the page took more than ${this.#limitMs / 1000} s to read`;
    this.#timer = setTimeout(() => void this.#end(why), this.#limitMs);
    worker.postMessage({ id: job.id, html: job.html } satisfies ExtractJob);
  }

  #start(): Worker {
    const worker = new Worker(this.#module, { execArgv: [], resourceLimits: LIMITS, name: 'extract' });
    worker.on('message', (reply: ExtractReply) => {
      const job = this.#current;
      if (this.#worker !== worker) return;
      if ('ready' in reply) {
        this.#ready = true;
        if (job) this.#give(worker, job);
        return;
      }
      if (job?.id !== reply.id) return;
      this.#current = undefined;
      if ('page' in reply) job.resolve(reply.page);
      else job.reject(new Error(`the page cannot be read: ${reply.error}`));
      this.#next();
    });
    worker.on('error', () => {
      if (this.#worker === worker) void this.#end('the page cannot be read');
    });
    return worker;
  }

  /** Ends the thread; the page it was reading fails, the others get a new one. */
  async #end(why?: string): Promise<void> {
    const [worker, job] = [this.#worker, this.#current];
    clearTimeout(this.#timer);
    this.#worker = undefined;
    this.#ready = false;
    this.#current = undefined;
    job?.reject(new Error(why ?? 'reading was stopped'));
    if (this.#waiting.length > 0) this.#next();
    await worker?.terminate();
  }
}

let shared: Extractor | undefined;

/** The process's extractor. */
export const extractor = (): Extractor => (shared ??= new Extractor());
