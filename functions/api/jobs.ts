import { hashOf } from '#shared/determinism/hash.ts';
import { workflowOfJob } from '#shared/determinism/ids.ts';
import type { Json } from '#shared/storage/ports.ts';
import { withCostSoFar } from '#shared/task/cost.ts';
import { isTerminal, type Job } from '#shared/task/jobs.ts';
import { findWorkflow } from '#shared/task/job-control.ts';
import { ProblemError } from '#shared/task/problems.ts';
import { maySee } from './caller.ts';
import { decodeCursor, encodeCursor } from './cursors.ts';
import { route, type ApiRequest, type ApiResponse } from './route.ts';
import { IDEMPOTENCY_HEADER, idempotencyKeyOf } from './idempotency.ts';
import {
  CancelBody,
  CreateBody,
  EventPage,
  EventQuery,
  JobPage,
  JobSchema,
  ListQuery,
  NoQuery,
  ResumeBody,
} from './schemas.ts';

/** Jobs over HTTP: create, list, look, follow, cancel, resume. */

/** Seconds a client should wait before it looks again at a job that runs. */
const POLL_SECONDS = 2;

/** The caller's job. @throws ProblemError `not-found`, for others' jobs too. */
export async function jobFor(request: ApiRequest): Promise<Job> {
  const { jobId = '' } = request.params;
  const stored = workflowOfJob(jobId) === undefined ? undefined : await request.control.store.get(jobId);
  if (!stored || !maySee(request.caller, stored.job)) {
    throw new ProblemError('not-found', 'You have no such job.', { name: 'NotFound' });
  }
  return stored.job;
}

const etagOf = (job: Job): string => `"${hashOf(job).slice(0, 32)}"`;

function jobResponse(status: number, job: Job, headers: Record<string, string> = {}): ApiResponse {
  const polled: Record<string, string> = isTerminal(job.status)
    ? {}
    : { 'Retry-After': String(POLL_SECONDS) };
  return { status, body: job, headers: { ETag: etagOf(job), ...polled, ...headers } };
}

const JOB_HEADERS = {
  ETag: 'Changes with the job.',
  'Retry-After': 'Seconds until it is worth looking again; absent when the job has ended.',
};

export const createJob = route({
  method: 'POST',
  path: '/v1/jobs',
  operationId: 'createJob',
  summary: 'Starts a job',
  scope: 'jobs:write',
  query: NoQuery,
  request: CreateBody,
  requestHeaders: IDEMPOTENCY_HEADER,
  responses: {
    202: {
      description: 'The job was made and its execution started.',
      schema: JobSchema,
      headers: { Location: "The job's address.", ...JOB_HEADERS },
    },
    200: {
      description: 'The key was used before with the same body: the same job.',
      schema: JobSchema,
      headers: { Location: "The job's address.", 'Idempotency-Replayed': '`true`.', ...JOB_HEADERS },
    },
  },
  problems: [
    'malformed-json',
    'payload-too-large',
    'unsupported-media-type',
    'invalid-input',
    'unknown-workflow',
    'budget-above-limit',
    'idempotency-conflict',
    'too-many-jobs',
  ],
  async handler(request) {
    const { workflow, input, budget, model } = request.body;
    const entry = findWorkflow(request.catalog, workflow);
    if (entry && !entry.triggers.api) {
      throw new ProblemError('unknown-workflow', `The workflow ${workflow} is not started through the API.`);
    }
    const { job, replayed } = await request.control.create({
      workflow,
      input: input as Json,
      budget,
      model,
      owner: request.caller.owner,
      idempotencyKey: idempotencyKeyOf(request),
      limited: true,
    });
    const headers = {
      Location: `/v1/jobs/${job.jobId}`,
      ...(replayed ? { 'Idempotency-Replayed': 'true' } : {}),
    };
    return jobResponse(replayed ? 200 : 202, job, headers);
  },
});

export const listJobs = route({
  method: 'GET',
  path: '/v1/jobs',
  operationId: 'listJobs',
  summary: "Lists the caller's jobs, newest first",
  scope: 'jobs:read',
  query: ListQuery,
  responses: { 200: { description: 'A page of jobs.', schema: JobPage } },
  problems: ['invalid-input', 'bad-cursor'],
  async handler({ query, caller, catalog, control }) {
    const { workflow, status, limit, cursor } = query;
    const since = query.since === undefined ? undefined : new Date(query.since).toISOString();
    const whose = caller.admin ? '*' : caller.owner;
    const list = ['jobs', whose, workflow ?? null, status ?? null, since ?? null];
    const after = decodeCursor(list, cursor);
    const workflows = workflow === undefined ? [...catalog.map(({ name }) => name), 'unknown'] : [workflow];
    const page = await control.store.list({
      ...(caller.admin ? {} : { owner: caller.owner }),
      ...(caller.admin || workflow !== undefined ? { workflows } : {}),
      ...(status === undefined ? {} : { status }),
      ...(since === undefined ? {} : { since }),
      ...(after === undefined ? {} : { after }),
      limit,
    });
    const next = page.next === undefined ? {} : { nextCursor: encodeCursor(list, page.next) };
    return { status: 200, body: { items: page.items, ...next } };
  },
});

export const getJob = route({
  method: 'GET',
  path: '/v1/jobs/{jobId}',
  operationId: 'getJob',
  summary: 'Shows a job',
  scope: 'jobs:read',
  query: NoQuery,
  requestHeaders: { 'If-None-Match': 'An ETag: an unchanged job is answered 304.' },
  responses: {
    200: { description: 'The job.', schema: JobSchema, headers: JOB_HEADERS },
    304: { description: 'The job has not changed.', headers: JOB_HEADERS },
  },
  problems: ['not-found'],
  async handler(request) {
    const job = await withCostSoFar(request.runtime, await jobFor(request));
    const known =
      request.headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
    const unchanged = known.includes(etagOf(job)) || known.includes('*');
    const { headers, ...rest } = jobResponse(200, job);
    return unchanged ? { status: 304, headers: headers! } : { ...rest, headers: headers! };
  },
});

export const listEvents = route({
  method: 'GET',
  path: '/v1/jobs/{jobId}/events',
  operationId: 'listJobEvents',
  summary: 'Stage changes, warnings and errors of a job',
  scope: 'jobs:read',
  query: EventQuery,
  responses: { 200: { description: 'A page of events.', schema: EventPage } },
  problems: ['not-found', 'invalid-input', 'bad-cursor'],
  async handler(request) {
    const { jobId } = await jobFor(request);
    const list = ['events', jobId];
    const after = decodeCursor(list, request.query.cursor);
    const page = await request.control.store.events(jobId, {
      limit: request.query.limit,
      ...(after === undefined ? {} : { after }),
    });
    const next = page.next === undefined ? {} : { nextCursor: encodeCursor(list, page.next) };
    return { status: 200, body: { items: page.items, ...next } };
  },
});

export const cancelJob = route({
  method: 'POST',
  path: '/v1/jobs/{jobId}/cancel',
  operationId: 'cancelJob',
  summary: 'Asks a job to stop; asked again 10 s later, stops it outright',
  scope: 'jobs:write',
  query: NoQuery,
  request: CancelBody,
  optionalBody: true,
  responses: { 202: { description: 'The job was asked to stop.', schema: JobSchema, headers: JOB_HEADERS } },
  problems: ['not-found', 'not-cancellable', 'malformed-json', 'unsupported-media-type', 'invalid-input'],
  async handler(request) {
    const { jobId } = await jobFor(request);
    return jobResponse(202, await request.control.cancel(jobId));
  },
});

export const resumeJob = route({
  method: 'POST',
  path: '/v1/jobs/{jobId}/resume',
  operationId: 'resumeJob',
  summary: 'Continues a job that was cancelled, failed, or ran out of budget, which may be raised',
  scope: 'jobs:write',
  query: NoQuery,
  request: ResumeBody,
  optionalBody: true,
  responses: { 202: { description: 'The job runs again.', schema: JobSchema, headers: JOB_HEADERS } },
  problems: [
    'not-found',
    'not-resumable',
    'budget-above-limit',
    'malformed-json',
    'unsupported-media-type',
    'invalid-input',
  ],
  async handler(request) {
    const { jobId } = await jobFor(request);
    return jobResponse(202, await request.control.resume(jobId, { budget: request.body?.budget }));
  },
});
