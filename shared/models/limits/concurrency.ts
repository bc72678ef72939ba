import type { Clock } from '#shared/determinism/clock.ts';
import { onAbort } from './on-abort.ts';

const START = 8;
const COOLDOWN_MS = 2000;
const SUCCESSES_PER_STEP = 25;

/**
 * How many attempts of a model this process keeps on their way (model-inference section 9): starts at min(8, limit);
 * a throttle sets max(1, floor(0.75 c)), once in 2 s; every 25 successes add 1.
 */
export class AdaptiveConcurrency {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #adaptive: boolean;
  #limit: number;
  #current: number;
  #running = 0;
  #successes = 0;
  #lowered = -Infinity;
  readonly #queue = new Set<() => void>();

  /** @param options.start where to begin; `adaptive: false` keeps the limit itself, for models inside this process. */
  constructor(
    clock: Pick<Clock, 'now'>,
    limit: number,
    options: { start?: number; adaptive?: boolean } = {},
  ) {
    this.#clock = clock;
    this.#adaptive = options.adaptive ?? true;
    this.#limit = limit;
    this.#current = Math.min(options.start ?? (this.#adaptive ? START : limit), limit);
  }

  get current(): number {
    return this.#current;
  }

  get running(): number {
    return this.#running;
  }

  /** The registry's limit, when an overlay changed it. */
  set limit(limit: number) {
    if (limit === this.#limit) return;
    this.#limit = limit;
    this.#current = this.#adaptive ? Math.min(this.#current, limit) : limit;
    this.#admit();
  }

  /** Waits for a slot, in order of arrival. @throws the signal's reason. */
  async acquire(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#running < this.#current && this.#queue.size === 0) {
      this.#running++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const waiting = (): void => {
        stop();
        resolve();
      };
      this.#queue.add(waiting);
      const stop = onAbort(signal, (reason) => {
        if (this.#queue.delete(waiting)) reject(reason);
      });
    });
  }

  release(): void {
    this.#running--;
    this.#admit();
  }

  succeeded(): void {
    if (!this.#adaptive || ++this.#successes < SUCCESSES_PER_STEP) return;
    this.#successes = 0;
    this.#current = Math.min(this.#limit, this.#current + 1);
    this.#admit();
  }

  throttled(): void {
    const now = this.#clock.now();
    if (!this.#adaptive || now - this.#lowered < COOLDOWN_MS) return;
    this.#lowered = now;
    this.#successes = 0;
    this.#current = Math.max(1, Math.floor(0.75 * this.#current));
  }

  #admit(): void {
    for (const waiting of this.#queue) {
      if (this.#running >= this.#current) return;
      this.#queue.delete(waiting);
      this.#running++;
      waiting();
    }
  }
}
