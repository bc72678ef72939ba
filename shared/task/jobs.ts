import type { Json } from '#shared/storage/ports.ts';
import type { FieldProblem } from './errors.ts';

/** What a job is to everyone who asks about it (DESIGN section 6, infra-api-cli section 7). */

export const JOB_STATUSES = [
  'QUEUED',
  'RUNNING',
  'SUCCEEDED',
  'SUCCEEDED_WITH_ERRORS',
  'BUDGET_EXHAUSTED',
  'CANCELLED',
  'FAILED',
] as const;

export type JobStatus = (typeof JOB_STATUSES)[number];

export const isTerminal = (status: JobStatus): boolean => status !== 'QUEUED' && status !== 'RUNNING';

/** RFC 9457 problem document. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance?: string;
  errors?: FieldProblem[];
}

/** Caps of a job; money in micro-dollars inside the platform, `{usd}` at its borders. */
export interface Budget {
  microUsd?: number;
  tokens?: number;
  calls?: number;
  seconds?: number;
}

export interface Job {
  jobId: string;
  workflow: string;
  status: JobStatus;
  owner: string;
  /** 1, and one more for every resume that starts a new execution. */
  attempt: number;
  input: Json;
  budget?: Budget;
  /** The default model of every role. */
  model?: string;
  executionId?: string;
  progress: { stage: string; done: number; total: number };
  /** Counts by name, such as `documents`, `accepted`, `rejected`. */
  yields: Record<string, number>;
  cost: { microUsd: number; calls: number; cacheHits: number; tokensIn: number; tokensOut: number };
  createdAt: string;
  startedAt?: string;
  endedAt?: string;
  error?: Problem;
}

export interface JobEvent {
  time: string;
  level: 'info' | 'warn' | 'error';
  stage?: string;
  message: string;
  data?: Json;
}

/** What a task says of the job it works for. All calls are idempotent under at-least-once delivery. */
export interface JobProgress {
  /** Announces a stage and how many units (documents, pairs ...) it will treat. */
  stage(jobId: string, stage: string, total: number): Promise<void>;
  /** Adds a finished shard's units once, however often it is called with the same shard. */
  advance(jobId: string, stage: string, shard: string, done: number): Promise<void>;
  event(jobId: string, event: Omit<JobEvent, 'time'>): Promise<void>;
  /** Whether somebody asked for the job to stop; cached up to 5 s. */
  cancelRequested(jobId: string): Promise<boolean>;
}

/** The envelope of executions that the platform starts; `Begin` takes a bare input too. */
export interface ExecutionEnvelope {
  job: { jobId: string; workflow: string; attempt: number };
  input: Json;
}
