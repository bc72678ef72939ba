import type { InferTrace } from '../types.ts';
import type { AttemptOutcome } from './attempt.ts';

/** Gathers how a result came about. */
export class TraceBuilder {
  readonly #started: number;
  readonly #attemptIds: string[] = [];
  #costMicros = 0;
  #queuedMs = 0;
  #firstTokenMs: number | undefined;

  constructor(now: number) {
    this.#started = now;
  }

  get attempts(): number {
    return this.#attemptIds.length;
  }

  count(outcome: AttemptOutcome): AttemptOutcome {
    const { row } = outcome;
    if (!row) return outcome;
    this.#attemptIds.push(row.attemptId);
    this.#costMicros += row.costMicros;
    this.#queuedMs += row.queuedMs;
    this.#firstTokenMs ??= row.firstTokenMs;
    return outcome;
  }

  done(now: number, saved?: number): InferTrace {
    return {
      attempts: this.#attemptIds.length,
      cached: saved !== undefined,
      latencyMs: Math.round(now - this.#started),
      queuedMs: this.#queuedMs,
      costMicros: this.#costMicros,
      savedMicros: saved ?? 0,
      attemptIds: this.#attemptIds,
      ...(this.#firstTokenMs === undefined ? {} : { firstTokenMs: this.#firstTokenMs }),
    };
  }
}
