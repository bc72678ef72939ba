const LEAST = 10;

/**
 * Stops a batch whose endpoint does not answer (model-inference section 9): at least 10 finished, more than half of
 * them failed for good. Rejected answers are answers.
 */
export class EarlyStop {
  #finished = 0;
  #failed = 0;

  /** Counts a final result; true when the batch should stop. */
  note(status: 'ok' | 'rejected' | 'failed'): boolean {
    this.#finished++;
    if (status === 'failed') this.#failed++;
    return this.#finished >= LEAST && this.#failed * 2 > this.#finished;
  }

  get text(): string {
    return `${this.#failed} of ${this.#finished} requests failed`;
  }
}
