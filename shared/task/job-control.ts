import { isoTime } from '#shared/determinism/clock.ts';
import { hashOf } from '#shared/determinism/hash.ts';
import { derivedJobId, newJobId } from '#shared/determinism/ids.ts';
import { raiseBudget } from '#shared/models/budget.ts';
import { loadRegistry } from '#shared/models/registry.ts';
import type { ExecutionDescription, Json } from '#shared/storage/ports.ts';
import { capsOf, raisedCaps, type BudgetInput } from './budgets.ts';
import type { WorkflowEntry } from './catalog.ts';
import { costOf } from './cost.ts';
import { executionName } from './envelope.ts';
import { isError, notFound, type FieldProblem } from './errors.ts';
import { fieldProblems } from './fields.ts';
import { jobStore, type JobStore, type StoredJob } from './job-store.ts';
import { isTerminal, type Job, type JobStatus } from './jobs.ts';
import { problem, problemOfFailure, ProblemError } from './problems.ts';
import { checkReferences, inputReferences } from './references.ts';
import type { Runtime } from './runtime.ts';

/** Creating, starting, cancelling, resuming and closing jobs: the one place that the API, triggers and CLI share. */

export interface CreateRequest {
  workflow: string;
  input: Json;
  budget?: BudgetInput | undefined;
  model?: string | undefined;
  owner: string;
  /** Makes the id: the same key of the same owner and workflow is the same job. */
  idempotencyKey?: string | undefined;
  /** An id derived elsewhere (objects, schedules). */
  jobId?: string | undefined;
  /** Whether the owner's jobs in flight are limited (the API). */
  limited?: boolean;
}

export interface JobControl {
  readonly store: JobStore;
  /**
   * Checks the request, writes the job's record and starts its execution. A repeated request (by key or id) gives the
   * same job, started if it was not yet.
   * @throws ProblemError unknown-workflow, invalid-input, budget-above-limit, too-many-jobs, payload-too-large,
   *   idempotency-conflict; StorageUnavailable, after which the record may exist and a retry or the sweeper starts it.
   */
  create(request: CreateRequest): Promise<{ job: Job; replayed: boolean }>;
  /** Starts the execution of a QUEUED job; repeating it is harmless. */
  start(job: Job): Promise<Job>;
  /**
   * Asks a job to stop, and every job it has started: their tasks end at their next look at the flag and their machines
   * finish them as CANCELLED. Asked again 10 s later, the executions are stopped outright.
   * @throws NotFound; ProblemError not-cancellable
   */
  cancel(jobId: string): Promise<Job>;
  /** Stops the execution and closes the job as CANCELLED. */
  forceCancel(stored: StoredJob): Promise<Job>;
  /**
   * Runs an ended job again, where it stopped: the execution is redriven where it broke off, else the next attempt
   * starts and the model cache prevents paying again.
   * @throws NotFound; ProblemError not-resumable, budget-above-limit
   */
  resume(jobId: string, options?: { budget?: BudgetInput | undefined }): Promise<Job>;
  /** Closes the job of an execution that ended without finishing it. Undefined where there was nothing to close. */
  closeEnded(stored: StoredJob, execution: ExecutionDescription): Promise<Job | undefined>;
}

/** Leaves room for the envelope in the 256 KiB of a state payload. */
export const MAX_INPUT_BYTES = 250_000;
const REDRIVE_MS = 14 * 24 * 3_600_000;
const FORCE_AFTER_MS = 10_000;
const DAY_SECONDS = 24 * 3600;
const RESUMABLE: readonly JobStatus[] = ['FAILED', 'CANCELLED', 'BUDGET_EXHAUSTED', 'SUCCEEDED_WITH_ERRORS'];

export const findWorkflow = (catalog: readonly WorkflowEntry[], name: string): WorkflowEntry | undefined =>
  catalog.find((entry) => entry.name === name);

/** The record of a job that is about to be written. */
export function newJob(
  runtime: Pick<Runtime, 'clock'>,
  given: Pick<Job, 'jobId' | 'workflow' | 'owner' | 'input'> & Partial<Job>,
): Job {
  return {
    status: 'QUEUED',
    attempt: 1,
    progress: { stage: '', done: 0, total: 0 },
    yields: {},
    cost: { microUsd: 0, calls: 0, cacheHits: 0, tokensIn: 0, tokensOut: 0 },
    createdAt: isoTime(runtime.clock.now()),
    ...given,
  };
}

/** When a job's records may be forgotten, in seconds since the epoch. */
export function recordTtl(runtime: Pick<Runtime, 'clock'>, entry: WorkflowEntry): { ttl?: number } {
  const days = entry.retention.recordDays;
  return days === null ? {} : { ttl: Math.ceil(runtime.clock.now() / 1000) + days * DAY_SECONDS };
}

export function jobControl(runtime: Runtime, catalog: readonly WorkflowEntry[]): JobControl {
  const store = jobStore(runtime);
  const { workflows, clock } = runtime;

  const entryOf = (name: string): WorkflowEntry => {
    const entry = findWorkflow(catalog, name);
    if (entry) return entry;
    const names = catalog.map((known) => known.name).join(', ');
    throw new ProblemError(
      'unknown-workflow',
      `There is no workflow "${name.slice(0, 80)}". There are: ${names}.`,
      {
        problems: [{ pointer: '/workflow', code: 'unknown', detail: `Use one of: ${names}.` }],
      },
    );
  };

  const checkInput = async (entry: WorkflowEntry, request: CreateRequest): Promise<void> => {
    const bytes = Buffer.byteLength(JSON.stringify(request.input) ?? 'null');
    if (bytes > MAX_INPUT_BYTES) {
      const detail = `The input has ${bytes} bytes, the limit is ${MAX_INPUT_BYTES}: upload what is large and name it.`;
      throw new ProblemError('payload-too-large', detail);
    }
    const problems: FieldProblem[] = [];
    const parsed = await entry.input.safeParseAsync(request.input);
    if (!parsed.success) problems.push(...fieldProblems(parsed.error, ['input']));
    else {
      const references = inputReferences(request.input, runtime.artifacts.bucket);
      const refused = await checkReferences(runtime, request.owner, entry.name, references);
      problems.push(...refused.map((fault) => ({ ...fault, pointer: `/input${fault.pointer}` })));
    }
    if (request.model !== undefined) {
      const registry = await loadRegistry(runtime);
      if (!registry.models.has(request.model) && !registry.routes.has(request.model)) {
        const detail = 'There is no such model or route in the registry.';
        problems.push({ pointer: '/model', code: 'unknown', detail });
      }
    }
    if (problems.length > 0) {
      const many = problems.length === 1 ? 'One field is' : `${problems.length} fields are`;
      throw new ProblemError('invalid-input', `${many} not valid.`, { problems });
    }
  };

  /** Marks may be stale: only when they reach the limit are the jobs themselves looked at, and stale marks dropped. */
  const checkInFlight = async (entry: WorkflowEntry, owner: string): Promise<void> => {
    const marked = await store.active(entry.name, owner);
    if (marked.length < entry.concurrency.jobs) return;
    let inFlight = 0;
    for (const { jobId } of marked) {
      const stored = await store.facts(jobId);
      if (stored && !isTerminal(stored.status)) inFlight += 1;
      else await store.deactivate(entry.name, owner, jobId);
    }
    if (inFlight >= entry.concurrency.jobs) {
      const detail = `You have ${inFlight} jobs of ${entry.name} in flight, the limit is ${entry.concurrency.jobs}: wait for one to end.`;
      throw new ProblemError('too-many-jobs', detail);
    }
  };

  const replay = async (stored: StoredJob, bodyHash: string): Promise<{ job: Job; replayed: boolean }> => {
    if (stored.bodyHash !== bodyHash) {
      throw new ProblemError(
        'idempotency-conflict',
        `The key belongs to ${stored.job.jobId}, made from another body.`,
      );
    }
    const { job } = stored;
    const unstarted = job.status === 'QUEUED' && job.executionId === undefined;
    return { job: unstarted ? await start(job) : job, replayed: true };
  };

  const start = async (job: Job): Promise<Job> => {
    const { jobId, workflow, attempt, input } = job;
    try {
      const { executionArn } = await workflows.start({
        machine: workflow,
        name: executionName(jobId, attempt),
        input: { job: { jobId, workflow, attempt }, input },
      });
      return (await store.update(jobId, { executionId: executionArn })).job;
    } catch (error) {
      // ExecutionAlreadyExists: it was started, and may have ended.
      if (isError(error, 'Conflict')) return (await store.require(jobId)).job;
      throw error;
    }
  };

  const requireJob = async (jobId: string): Promise<StoredJob> => {
    const stored = await store.get(jobId);
    if (!stored) throw notFound(`There is no job ${jobId}.`);
    return stored;
  };

  const control: JobControl = {
    store,
    start,

    async create(request) {
      const entry = entryOf(request.workflow);
      const { workflow, input, budget, model, owner, idempotencyKey } = request;
      const bodyHash = hashOf({ workflow, input, budget, model });
      const derived =
        request.jobId ??
        (idempotencyKey === undefined ? undefined : derivedJobId(workflow, 'key', owner, idempotencyKey));
      const existing = derived === undefined ? undefined : await store.get(derived);
      if (existing) return replay(existing, bodyHash);

      await checkInput(entry, request);
      const caps = capsOf(entry, budget);
      if (request.limited) await checkInFlight(entry, owner);
      const job = newJob(runtime, {
        jobId: derived ?? newJobId(workflow, runtime.ids),
        workflow,
        owner,
        input,
        budget: caps,
        ...(model === undefined ? {} : { model }),
      });
      try {
        await store.create(job, { bodyHash, ...recordTtl(runtime, entry) });
      } catch (error) {
        if (!isError(error, 'Conflict')) throw error;
        return replay(await requireJob(job.jobId), bodyHash);
      }
      return { job: await start(job), replayed: false };
    },

    async cancel(jobId) {
      const before = await requireJob(jobId);
      if (isTerminal(before.job.status)) {
        throw new ProblemError('not-cancellable', `The job has ended as ${before.job.status}.`);
      }
      if (before.cancelRequestedAt !== undefined) {
        const age = clock.now() - Date.parse(before.cancelRequestedAt);
        if (age >= FORCE_AFTER_MS) return control.forceCancel(before);
        await cancelChildren(jobId);
        return before.job;
      }
      const stored = await store.requestCancel(jobId).catch((error: unknown) => {
        if (isError(error, 'Conflict'))
          throw new ProblemError('not-cancellable', error.message, { cause: error });
        throw error;
      });
      await store.event(jobId, { level: 'info', message: 'Cancellation was asked for.' });
      await cancelChildren(jobId);
      const waiting = stored.job.status === 'QUEUED' && stored.job.executionId === undefined;
      return waiting ? control.forceCancel(stored) : stored.job;
    },

    async forceCancel({ job }) {
      if (job.executionId !== undefined) {
        await workflows
          .stop(job.executionId, { error: 'Cancelled', cause: 'The job was cancelled.' })
          .catch((error: unknown) => {
            if (!isError(error, 'NotFound') && !isError(error, 'Conflict')) throw error;
          });
      }
      return closeAs(job, 'CANCELLED', undefined, job.executionId === undefined ? 'request' : 'event');
    },

    async resume(jobId, { budget } = {}) {
      const stored = await requireJob(jobId);
      const { job } = stored;
      const entry = entryOf(job.workflow);
      if (!RESUMABLE.includes(job.status)) {
        const why = isTerminal(job.status)
          ? `The job has ${job.status}: nothing is left to do.`
          : `The job is ${job.status}.`;
        throw new ProblemError('not-resumable', why);
      }
      const caps =
        budget && raisedCaps(job.budget ?? {}, { ...capsOf(entry, { ...budget, usd: budget.usd ?? 0 }) });
      if (job.status === 'BUDGET_EXHAUSTED' && (!caps || hashOf(caps) === hashOf(job.budget ?? {}))) {
        throw new ProblemError('not-resumable', 'The budget is used up: resume with a larger `budget`.');
      }
      if (caps) await raiseBudget(runtime, jobId, caps);
      const again = caps ? { budget: caps } : {};
      if (await canRedrive(stored)) {
        await reopen(stored, { attempt: job.attempt, ...again });
        try {
          await workflows.redrive(job.executionId!);
          await store.event(jobId, { level: 'info', message: 'The execution was redriven.' });
          return (await store.setStatus(jobId, { status: 'RUNNING', from: ['QUEUED'], attempt: job.attempt }))
            .job;
        } catch (error) {
          if (isError(error, 'StorageUnavailable')) throw error;
          // Not redrivable after all, by age or history: the next attempt does it.
        }
      }
      const current = await requireJob(jobId);
      const next = await reopen(current, { attempt: job.attempt + 1, ...again });
      await store.event(jobId, { level: 'info', message: `Attempt ${job.attempt + 1} was started.` });
      return start(next.job);
    },

    async closeEnded(stored, execution) {
      const { job } = stored;
      if (isTerminal(job.status) || execution.status === 'RUNNING') return undefined;
      if (execution.status === 'ABORTED') return closeAs(job, 'CANCELLED', undefined, 'event');
      if (stored.cancelRequestedAt !== undefined && execution.status === 'FAILED') {
        return closeAs(job, 'CANCELLED', undefined, 'event');
      }
      const error =
        execution.status === 'TIMED_OUT'
          ? problem('timed-out', 'The execution ran out of time.')
          : execution.status === 'SUCCEEDED'
            ? problem('execution-stopped', 'The execution ended without finishing its job.')
            : problemOfFailure(execution);
      return closeAs(job, 'FAILED', error, 'event');
    },
  };

  const reopen = async (
    stored: StoredJob,
    change: { attempt: number; budget?: Job['budget'] },
  ): Promise<StoredJob> =>
    store.reopen(stored, change).catch((error: unknown) => {
      if (!isError(error, 'Conflict')) throw error;
      throw new ProblemError('not-resumable', 'Somebody else resumed the job just now.', { cause: error });
    });

  /** Whether the execution broke off: one that went through its own finish has nothing to be redriven. */
  const canRedrive = async ({ job, closedBy }: StoredJob): Promise<boolean> => {
    if (closedBy !== 'event' || job.executionId === undefined || job.status === 'BUDGET_EXHAUSTED')
      return false;
    try {
      const { status, stopped } = await workflows.describe(job.executionId);
      return status !== 'RUNNING' && status !== 'SUCCEEDED' && clock.now() - (stopped ?? 0) < REDRIVE_MS;
    } catch (error) {
      if (isError(error, 'NotFound')) return false;
      throw error;
    }
  };

  /** What a job has started works for nobody once the job is to stop, or is gone. */
  const cancelChildren = async (jobId: string): Promise<void> => {
    for (const child of await store.children(jobId)) {
      await control.cancel(child).catch((error: unknown) => {
        const ended = error instanceof ProblemError && error.slug === 'not-cancellable';
        if (!ended && !isError(error, 'NotFound')) throw error;
      });
    }
  };

  const closeAs = async (
    job: Job,
    status: 'FAILED' | 'CANCELLED',
    error: Job['error'],
    closedBy: StoredJob['closedBy'],
  ): Promise<Job> => {
    await cancelChildren(job.jobId);
    try {
      const stored = await store.setStatus(job.jobId, {
        status,
        attempt: job.attempt,
        closedBy,
        patch: { cost: await costOf(runtime, job.jobId), ...(error ? { error } : {}) },
      });
      const message = error ? `The job ended as ${status}: ${error.detail}` : `The job ended as ${status}.`;
      await store.event(job.jobId, { level: status === 'FAILED' ? 'error' : 'info', message });
      return stored.job;
    } catch (failure) {
      // It ended otherwise meanwhile.
      if (isError(failure, 'Conflict')) return (await requireJob(job.jobId)).job;
      throw failure;
    }
  };

  return control;
}
