import type { InferErrorCode } from '../types.ts';

/** Attempts looked back on, and for how long. */
const ATTEMPTS = 20;
const WINDOW_MS = 60_000;
const LEAST = 10;
const FAULTY: ReadonlySet<string> = new Set<InferErrorCode>(['UNAVAILABLE', 'TIMEOUT', 'BAD_RESPONSE']);
const THROTTLED_MS = 120_000;

/** The latest attempts of a model in this process: pure bookkeeping for the breaker. */
export class AttemptWindow {
  #attempts: { at: number; faulty: boolean }[] = [];
  /** Since when there has been nothing but throttling. */
  #throttledSince: number | undefined;

  /**
   * Notes an attempt and says whether the breaker opens: at least 10 of the last 20 within 60 s and half of them
   * UNAVAILABLE, TIMEOUT or BAD_RESPONSE, or 120 s of only THROTTLED.
   */
  note(at: number, code: InferErrorCode | undefined): boolean {
    if (code === 'THROTTLED') {
      this.#throttledSince ??= at;
      return at - this.#throttledSince >= THROTTLED_MS;
    }
    this.#throttledSince = undefined;
    this.#attempts.push({ at, faulty: code !== undefined && FAULTY.has(code) });
    this.#attempts = this.#attempts.filter((attempt) => at - attempt.at < WINDOW_MS).slice(-ATTEMPTS);
    const faulty = this.#attempts.filter((attempt) => attempt.faulty).length;
    return this.#attempts.length >= LEAST && faulty * 2 >= this.#attempts.length;
  }

  clear(): void {
    this.#attempts = [];
    this.#throttledSince = undefined;
  }
}
