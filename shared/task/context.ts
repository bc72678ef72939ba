import type { Artifacts, Records } from '#shared/storage/ports.ts';
import type { JobProgress } from './jobs.ts';
import type { Runtime } from './runtime.ts';

/** Structured logs: one JSON line each, secret-named keys redacted, document text at `debug` only. */
export interface Logger {
  debug(message: string, data?: Record<string, unknown>): void;
  info(message: string, data?: Record<string, unknown>): void;
  warn(message: string, data?: Record<string, unknown>): void;
  error(message: string, data?: Record<string, unknown>): void;
  /** The same logger with more bound fields. */
  with(data: Record<string, unknown>): Logger;
  /** Adds to a metric of the embedded metric format (EMF) line written when the task ends. */
  metric(name: string, value: number, unit?: 'Count' | 'Milliseconds' | 'Bytes'): void;
}

/** What a task's `run` is given beside its validated input. */
export interface TaskContext {
  /** `<workflow>/<task>`. */
  name: string;
  jobId?: string;
  workflow: string;
  attempt: number;
  /** Whose job it is, where the job has a record. */
  owner?: string;
  /** The execution that works for the job, where it is known. */
  executionId?: string;
  /** X-Ray's, on AWS. */
  traceId?: string;
  runtime: Runtime;
  /** The runtime's, at hand. */
  artifacts: Artifacts;
  records: Records;
  jobs: JobProgress;
  log: Logger;
  /** Milliseconds since the epoch when `run` must be done. */
  deadline: number;
  /** Aborts at the deadline and on the host's stop. */
  signal: AbortSignal;
}
