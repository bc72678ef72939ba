import { z } from 'zod';
import type { Json, RecordItem, RecordPut } from '#shared/storage/ports.ts';
import { defect } from './errors.ts';
import { JOB_STATUSES, type Job, type JobEvent } from './jobs.ts';

/** How jobs lie in the records (infra-api-cli section 3): keys, indexes, and the item of a job. */

export const jobPk = (jobId: string): string => `JOB#${jobId}`;
export const META = 'META';

/**
 * Jobs that have not ended, one item each, so that limits and the sweeper need no scan. The key lies in the workflow's
 * own part of the table; it is no job's, whose ids have 26 characters after the dot.
 */
export const activePk = (workflow: string): string => `JOB#${workflow}.active`;
export const activeSk = (owner: string, jobId: string): string => `ACTIVE#${owner}#${jobId}`;

export const ownerIndex = (job: Pick<Job, 'owner' | 'createdAt' | 'jobId'>) => ({
  pk: `OWNER#${job.owner}`,
  sk: sortKeyOf(job),
});
export const workflowIndex = (job: Pick<Job, 'workflow' | 'createdAt' | 'jobId'>) => ({
  pk: `WORKFLOW#${job.workflow}`,
  sk: sortKeyOf(job),
});
/** Where a job stands in lists: newest last. */
export const sortKeyOf = (job: Pick<Job, 'createdAt' | 'jobId'>): string => `${job.createdAt}#${job.jobId}`;

export const stageSk = (stage: string): string => `STAGE#${stage}`;
export const shardSk = (stage: string, shard: string): string => `STAGE#${stage}#${shard}`;
/** A job that this job started and waits for. */
export const childSk = (childId: string): string => `CHILD#${childId}`;
export const doneSk = (task: string, key: string): string => `DONE#${task}#${key}`;

const ProblemItem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  instance: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() })).optional(),
});

const JobItem = z.object({
  jobId: z.string(),
  workflow: z.string(),
  status: z.enum(JOB_STATUSES),
  owner: z.string(),
  attempt: z.number(),
  /** JSON text: inputs may nest deeper than records do. */
  input: z.string(),
  budget: z
    .object({
      microUsd: z.number().optional(),
      tokens: z.number().optional(),
      calls: z.number().optional(),
      seconds: z.number().optional(),
    })
    .optional(),
  model: z.string().optional(),
  executionId: z.string().optional(),
  progress: z.object({ stage: z.string(), done: z.number(), total: z.number() }),
  yields: z.record(z.string(), z.number()),
  cost: z.object({
    microUsd: z.number(),
    calls: z.number(),
    cacheHits: z.number(),
    tokensIn: z.number(),
    tokensOut: z.number(),
  }),
  createdAt: z.string(),
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
  error: ProblemItem.optional(),
  // What the platform keeps beside the public record.
  bodyHash: z.string().optional(),
  cancelRequestedAt: z.string().optional(),
  closedBy: z.enum(['finish', 'event', 'request']).optional(),
});

/** The public job and what only the platform needs. */
export interface StoredJob {
  job: Job;
  version: number;
  /** Hash of the body that created it under an idempotency key. */
  bodyHash?: string;
  cancelRequestedAt?: string;
  /** Who ended it: the machine's own finish, a reconciled bad ending, or a request before it ran. */
  closedBy?: 'finish' | 'event' | 'request';
  /** Seconds since the epoch. */
  ttl?: number;
}

/** The attributes of a job's item. */
export function jobAttributes(job: Job, extra: { bodyHash?: string } = {}): Record<string, Json> {
  return JSON.parse(JSON.stringify({ ...job, input: JSON.stringify(job.input), ...extra })) as Record<
    string,
    Json
  >;
}

export function jobPut(job: Job, extra: { bodyHash?: string; ttl?: number } = {}): RecordPut {
  const { ttl, ...attributes } = extra;
  return {
    pk: jobPk(job.jobId),
    sk: META,
    attributes: jobAttributes(job, attributes),
    g1: ownerIndex(job),
    g2: workflowIndex(job),
    ...(ttl === undefined ? {} : { ttl }),
  };
}

/** @throws Defect when the item is no job: something else wrote under its key. */
export function readJob(item: RecordItem): StoredJob {
  const parsed = JobItem.safeParse(item.attributes);
  if (!parsed.success) throw defect(`The record ${item.pk} is no job.`, { cause: parsed.error });
  const { bodyHash, cancelRequestedAt, closedBy, input, ...rest } = parsed.data;
  return {
    job: { ...rest, input: JSON.parse(input) as Json } as Job,
    version: item.version,
    ...(bodyHash === undefined ? {} : { bodyHash }),
    ...(cancelRequestedAt === undefined ? {} : { cancelRequestedAt }),
    ...(closedBy === undefined ? {} : { closedBy }),
    ...(item.ttl === undefined ? {} : { ttl: item.ttl }),
  };
}

export const EventItem = z.object({
  time: z.string(),
  level: z.enum(['info', 'warn', 'error']),
  stage: z.string().optional(),
  message: z.string(),
  data: z.json().optional(),
});

export const readEvent = (item: RecordItem): JobEvent => EventItem.parse(item.attributes) as JobEvent;
