import { contentOf, modelOf, resolveConfig, runIdOf } from '#functions/deep-research/config.ts';
import { ResearchInputSchema } from '#functions/deep-research/input.ts';
import { noteSk, runPk } from '#functions/deep-research/keys.ts';
import { isEnded, NO_USAGE } from '#functions/deep-research/records.ts';
import { eventId, parseEventId } from '#functions/deep-research/run/events.ts';
import { loadEvents, loadHead, loadNotes, type Head } from '#functions/deep-research/run/store.ts';
import { loadRegistry } from '#shared/models/registry.ts';
import { questionId } from '#shared/research/ids.ts';
import { searchProvider } from '#shared/research/search/provider.ts';
import type { Json } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import { isTerminal, type Job } from '#shared/task/jobs.ts';
import { ProblemError } from '#shared/task/problems.ts';
import { IDEMPOTENCY_HEADER, idempotencyKeyOf } from './idempotency.ts';
import { jobFor } from './jobs.ts';
import {
  EventStream,
  NoteAccepted,
  NoteBody,
  ResearchBody,
  ResearchEventsQuery,
  ResearchStarted,
  ResearchState,
} from './research-schemas.ts';
import { route, type ApiRequest, type ApiResponse } from './route.ts';
import { CancelBody, NoQuery } from './schemas.ts';

/**
 * Interactive research over HTTP: one question, one run (deep-research section 2). Events are server-sent; gateways
 * buffer responses and end them after 30 s, so each one carries at most 20 s of events, and clients come again with
 * the id of the last one they saw.
 */

const WORKFLOW = 'deep-research';
/** The longest that a response takes; the function's and the gateway's time-outs are longer. */
export const RESPONSE_MS = 20_000;
const POLL_MS = 200;
/** How long a response waits for more once it has something to tell. */
const LINGER_MS = 250;
const RETRY_MS = 1000;
const MAX_NOTES = 200;
/** The number of the step that stands for the job's end. */
const END = 999_999;

const BODY_PROBLEMS = [
  'malformed-json',
  'payload-too-large',
  'unsupported-media-type',
  'invalid-input',
] as const;

/** Where a fault of the job's input is in the body that made it. */
const POINTERS: readonly (readonly [string, string])[] = [
  ['/input/questions/0/text', '/question'],
  ['/input/questions/0', ''],
  ['/input', ''],
];

const pointerInBody = (pointer: string): string => {
  for (const [from, to] of POINTERS) if (pointer.startsWith(from)) return to + pointer.slice(from.length);
  return pointer;
};

/** What a research job's input resolves to: the id of its run. @throws InvalidInput for what cannot be. */
async function runOfInput(
  { runtime }: Pick<ApiRequest, 'runtime'>,
  job: Pick<Job, 'jobId' | 'input' | 'createdAt'> & { model?: string | undefined },
): Promise<string | undefined> {
  const input = ResearchInputSchema.safeParse(job.input);
  if (!input.success) return undefined;
  const { questions, rollouts } = input.data;
  if (!Array.isArray(questions) || questions.length !== 1 || rollouts !== 1) return undefined;
  const registry = await loadRegistry(runtime);
  const config = await resolveConfig({
    jobId: job.jobId,
    input: input.data,
    model: job.model ?? 'builtin',
    created: job.createdAt,
    registry,
    webSearch: searchProvider(runtime.env) !== undefined,
    content: await contentOf(runtime.artifacts, input.data),
  });
  const [question] = questions;
  return runIdOf(config.cfg, questionId(question!.kind, question!.text.toWellFormed()), 0);
}

/** The caller's research job and its run. @throws ProblemError `not-found`. */
async function researchFor(
  request: ApiRequest,
): Promise<{ job: Job; runId: string; head: Head | undefined }> {
  const job = await jobFor(request);
  const runId = job.workflow === WORKFLOW ? await runOfInput(request, job).catch(() => undefined) : undefined;
  if (runId === undefined) {
    throw new ProblemError('not-found', 'This job is no research on one question.', { name: 'NotFound' });
  }
  const head = await loadHead(request.runtime.records, job.jobId, runId).catch((error: unknown) => {
    // Not prepared yet.
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  });
  return { job, runId, head };
}

const eventsPath = (jobId: string): string => `/v1/research/${jobId}/events`;

export const createResearch = route({
  method: 'POST',
  path: '/v1/research',
  operationId: 'createResearch',
  summary: 'Researches one question',
  scope: 'jobs:write',
  query: NoQuery,
  request: ResearchBody,
  requestHeaders: IDEMPOTENCY_HEADER,
  responses: {
    202: {
      description: 'The research has begun.',
      schema: ResearchStarted,
      headers: { Location: 'Where its state is.' },
    },
  },
  problems: [
    ...BODY_PROBLEMS,
    'budget-above-limit',
    'idempotency-conflict',
    'too-many-jobs',
    'unknown-workflow',
  ],
  async handler(request) {
    const { question, kind, corpus, tools, limits, model, budget, asOf } = request.body;
    const given = {
      questions: [{ text: question, ...(kind ? { kind } : {}) }],
      ...(corpus ? { corpus } : {}),
      tools: tools ?? { search: corpus ? 'corpus' : 'http' },
      ...(limits ? { limits } : {}),
      ...(asOf ? { asOf } : {}),
    } as unknown as Json;
    try {
      // What a schema cannot tell is refused before there is a job.
      const now = new Date(request.runtime.clock.now()).toISOString();
      const known = model === undefined || modelOf(await loadRegistry(request.runtime), model);
      if (known) await runOfInput(request, { jobId: '', input: given, createdAt: now, model });
      const { job } = await request.control.create({
        workflow: WORKFLOW,
        input: given,
        budget,
        model,
        owner: request.caller.owner,
        idempotencyKey: idempotencyKeyOf(request),
        limited: true,
      });
      const runId = (await runOfInput(request, job))!;
      return {
        status: 202,
        body: { jobId: job.jobId, runId, events: eventsPath(job.jobId) },
        headers: { Location: `/v1/research/${job.jobId}` },
      };
    } catch (error) {
      throw inBody(error);
    }
  },
});

/** Faults of the job's input as faults of the body. */
function inBody(error: unknown): unknown {
  const isInput = isError(error, 'InvalidInput');
  if (!isInput && !(error instanceof ProblemError && error.slug === 'invalid-input')) return error;
  const problems = error.problems.map((fault) => ({ ...fault, pointer: pointerInBody(fault.pointer) }));
  return new ProblemError('invalid-input', error.message, { problems });
}

export const getResearch = route({
  method: 'GET',
  path: '/v1/research/{jobId}',
  operationId: 'getResearch',
  summary: 'Shows how far research is, and its answer',
  scope: 'jobs:read',
  query: NoQuery,
  responses: { 200: { description: 'The research.', schema: ResearchState } },
  problems: ['not-found'],
  async handler(request) {
    const { job, runId, head } = await researchFor(request);
    const run = head?.run;
    const question = (job.input as { questions: { text: string }[] }).questions[0]!.text;
    return {
      status: 200,
      body: {
        jobId: job.jobId,
        runId,
        question,
        status: run?.status ?? 'pending',
        job: job.status,
        ...(run?.endReason === undefined ? {} : { endReason: run.endReason }),
        steered: run?.steered ?? false,
        ...(run?.answer === undefined ? {} : { answer: run.answer }),
        usage: run?.usage ?? NO_USAGE,
        events: eventsPath(job.jobId),
      },
    };
  },
});

export const addNote = route({
  method: 'POST',
  path: '/v1/research/{jobId}/notes',
  operationId: 'addResearchNote',
  summary: 'Tells the agent something: it joins the question from its next step on',
  scope: 'jobs:write',
  query: NoQuery,
  request: NoteBody,
  responses: { 202: { description: 'The note was taken.', schema: NoteAccepted } },
  problems: ['not-found', 'run-ended', ...BODY_PROBLEMS],
  async handler(request) {
    const { job, runId, head } = await researchFor(request);
    const { records } = request.runtime;
    const ended = isTerminal(job.status) || (head !== undefined && isEnded(head.run.status));
    if (ended) throw new ProblemError('run-ended', 'The research has ended: a note would reach nobody.');
    for (;;) {
      const note = (await loadNotes(records, job.jobId, runId)).length + 1;
      if (note > MAX_NOTES) throw new ProblemError('invalid-input', `There are ${MAX_NOTES} notes already.`);
      try {
        const attributes = { text: request.body.text };
        await records.put({ pk: runPk(job.jobId, runId), sk: noteSk(note), attributes }, { ifAbsent: true });
        return { status: 202, body: { jobId: job.jobId, runId, note } };
      } catch (error) {
        // Somebody else's note came first.
        if (!isError(error, 'Conflict')) throw error;
      }
    }
  },
});

export const cancelResearch = route({
  method: 'POST',
  path: '/v1/research/{jobId}/cancel',
  operationId: 'cancelResearch',
  summary: 'Asks the agent to stop within one step',
  scope: 'jobs:write',
  query: NoQuery,
  request: CancelBody,
  optionalBody: true,
  responses: { 202: { description: 'It was asked to stop.', schema: ResearchStarted } },
  problems: ['not-found', 'not-cancellable', ...BODY_PROBLEMS],
  async handler(request) {
    const { job, runId } = await researchFor(request);
    await request.control.cancel(job.jobId);
    return { status: 202, body: { jobId: job.jobId, runId, events: eventsPath(job.jobId) } };
  },
});

export const researchEvents = route({
  method: 'GET',
  path: '/v1/research/{jobId}/events',
  operationId: 'followResearch',
  summary: 'Follows research: server-sent events, at most 20 s a response',
  scope: 'jobs:read',
  query: ResearchEventsQuery,
  requestHeaders: { 'Last-Event-ID': 'The last event seen: what came after it follows.' },
  responses: {
    200: {
      description:
        'text/event-stream: each event has an id, a type and JSON data; `retry: 1000` says when to come again.',
      schema: EventStream,
      mediaType: 'text/event-stream',
    },
    204: { description: 'Everything was told: do not come again.' },
  },
  problems: ['not-found', 'invalid-input'],
  async handler(request) {
    const { job, runId } = await researchFor(request);
    const last = request.headers['last-event-id'] ?? request.query.lastEventId;
    const from = last === undefined || last === '' ? { n: 0, k: -1 } : parseEventId(last);
    if (!from || ('runId' in from && from.runId !== runId)) {
      throw new ProblemError('invalid-input', 'The last event is none of this research.', {
        problems: [
          { pointer: '/lastEventId', code: 'unknown', detail: 'Give an id that this stream has sent.' },
        ],
      });
    }
    if (from.n >= END) return { status: 204 };
    return stream(await follow(request, job.jobId, runId, from));
  },
});

/** The lines of events after a point; waits up to 20 s for the first. */
async function follow(
  request: ApiRequest,
  jobId: string,
  runId: string,
  from: { n: number; k: number },
): Promise<string[]> {
  const { clock, records } = request.runtime;
  const until = clock.now() + RESPONSE_MS;
  const told: string[] = [];
  let { n, k } = from;
  let linger = until;
  for (;;) {
    // Read before the events: what a job that has ended did is all there.
    const job = await request.control.store.get(jobId);
    let fresh = false;
    for (const step of await loadEvents(records, jobId, runId, n)) {
      for (const [index, { type, data }] of step.events.entries()) {
        if (step.n < n || (step.n === n && index <= k)) continue;
        told.push(eventText(eventId(runId, step.n, index), type, data));
        [n, k] = [step.n, index];
        fresh = true;
      }
    }
    if (job && isTerminal(job.job.status)) {
      const { status, error } = job.job;
      const data = { status, ...(error ? { detail: error.detail } : {}) };
      told.push(eventText(eventId(runId, END, 0), 'job.status', data));
      return told;
    }
    const now = clock.now();
    if (fresh) linger = Math.min(linger, now + LINGER_MS);
    if (now + POLL_MS > Math.min(until, linger)) return told;
    await clock.sleep(POLL_MS);
  }
}

const eventText = (id: string, type: string, data: unknown): string =>
  `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;

const stream = (events: readonly string[]): ApiResponse => ({
  status: 200,
  text: `retry: ${RETRY_MS}\n\n${events.join('')}`,
  headers: { 'Content-Type': 'text/event-stream; charset=utf-8' },
});

export const researchRoutes = [createResearch, getResearch, researchEvents, addNote, cancelResearch];
