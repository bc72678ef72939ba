import { z } from 'zod';
import { isoTime } from '#shared/determinism/clock.ts';
import { openBudget } from '#shared/models/budget.ts';
import { ArtifactRefSchema, writeJson } from '#shared/storage/jsonl.ts';
import type { Json } from '#shared/storage/ports.ts';
import { capsOf } from '#shared/task/budgets.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { defineTask, type TaskHandler } from '#shared/task/define-task.ts';
import { openEnvelope, type Opened } from '#shared/task/envelope.ts';
import { cancelled, conflict, isError, notFound } from '#shared/task/errors.ts';
import { describeProblems, fieldProblems } from '#shared/task/fields.ts';
import { findWorkflow, newJob, recordTtl } from '#shared/task/job-control.ts';
import { jobStore, type StoredJob } from '#shared/task/job-store.ts';
import { isTerminal } from '#shared/task/jobs.ts';
import { problemOf, ProblemError } from '#shared/task/problems.ts';
import { checkObjects, checkReferences, inputReferences } from '#shared/task/references.ts';

export const BeginInput = z.strictObject({
  workflow: z.string(),
  /** `$states.context.Execution.Id` and `.Name`. */
  executionId: z.string().min(1),
  executionName: z.string().min(1),
  /** `$states.input`: the platform's envelope, or a bare input from the console. */
  event: z.json(),
});

export const BeginOutput = z.object({
  jobId: z.string(),
  workflow: z.string(),
  attempt: z.int(),
  /** The job's default model. */
  model: z.string(),
  /** The validated input with every default filled. */
  input: ArtifactRefSchema,
});

export const CONSOLE_OWNER = 'console';
export const DEFAULT_MODEL = 'builtin';

/**
 * Makes `begin` for a catalog: adopts the job of the platform's envelope or creates one for a bare input, checks the
 * input against the workflow's schema and the objects it names, opens the budget and writes `jobs/<jobId>/input.json`.
 * An input that is not valid closes the job as FAILED with its problem document. May run twice: the same job, the same
 * file.
 * @throws InvalidInput naming the fields; Cancelled for a job that was stopped before it began; Conflict for a stale
 *   attempt.
 */
export function beginTask(catalog: readonly WorkflowEntry[]): TaskHandler<z.output<typeof BeginOutput>> {
  return defineTask({
    name: 'platform/begin',
    input: BeginInput,
    output: BeginOutput,
    async run({ workflow, executionId, executionName, event }, ctx) {
      const entry = findWorkflow(catalog, workflow);
      if (!entry) throw notFound(`The catalog has no workflow "${workflow}".`);
      const opened = openEnvelope(workflow, executionName, event as Json);
      const { job } = await adopt(ctx, entry, opened, executionId);
      const { jobId, attempt } = job;
      try {
        const input = await validated(ctx, entry, job.owner, opened.input);
        await openBudget(ctx.runtime, jobId, job.budget ?? capsOf(entry));
        const ref = await writeJson(ctx.artifacts, `jobs/${jobId}/input.json`, input);
        return { jobId, workflow, attempt, model: job.model ?? DEFAULT_MODEL, input: ref };
      } catch (error) {
        if (isError(error, 'InvalidInput')) await refuse(ctx, jobId, attempt, error);
        throw error;
      }
    },
  });
}

/** The job's record, RUNNING in this execution. */
async function adopt(
  { runtime, log }: TaskContext,
  entry: WorkflowEntry,
  opened: Opened,
  executionId: string,
): Promise<StoredJob> {
  const store = jobStore(runtime);
  const { jobId, attempt, input } = opened;
  let stored = await store.get(jobId);
  if (!stored) {
    const job = newJob(runtime, {
      jobId,
      workflow: entry.name,
      owner: CONSOLE_OWNER,
      attempt,
      input,
      budget: capsOf(entry),
      executionId,
    });
    stored = await store.create(job, recordTtl(runtime, entry)).catch(async (error: unknown) => {
      if (isError(error, 'Conflict')) return store.require(jobId);
      throw error;
    });
  }
  const { job, cancelRequestedAt } = stored;
  if (job.attempt !== attempt) {
    throw conflict(`This execution is attempt ${attempt} of ${jobId}, which is at attempt ${job.attempt}.`);
  }
  if (isTerminal(job.status)) throw cancelled(`The job ${jobId} had ended as ${job.status} before it began.`);
  if (cancelRequestedAt !== undefined) {
    await store.setStatus(jobId, { status: 'CANCELLED', attempt, closedBy: 'finish' });
    throw cancelled(`The job ${jobId} was asked to stop before it began.`);
  }
  if (job.status === 'RUNNING' && job.executionId === executionId) return stored;
  log.info('The job begins.', { jobId, attempt, executionId });
  return store.setStatus(jobId, {
    status: 'RUNNING',
    attempt,
    patch: { executionId, startedAt: job.startedAt ?? isoTime(runtime.clock.now()) },
  });
}

async function validated(
  { runtime }: TaskContext,
  entry: WorkflowEntry,
  owner: string,
  input: Json,
): Promise<Json> {
  const parsed = await entry.input.safeParseAsync(input);
  if (!parsed.success) throw refused(fieldProblems(parsed.error, ['input']));
  const references = inputReferences(input, runtime.artifacts.bucket);
  const problems = await checkReferences(runtime, owner, entry.name, references);
  if (problems.length === 0) {
    problems.push(...(await checkObjects(runtime, references, entry.limits.maxObjectBytes)));
  }
  if (problems.length > 0)
    throw refused(problems.map((fault) => ({ ...fault, pointer: `/input${fault.pointer}` })));
  return parsed.data as Json;
}

function refused(problems: ProblemError['problems']): ProblemError {
  return new ProblemError('invalid-input', `The input is not valid. ${describeProblems(problems)}`, {
    problems,
  });
}

async function refuse(
  { runtime, log }: TaskContext,
  jobId: string,
  attempt: number,
  error: unknown,
): Promise<void> {
  const store = jobStore(runtime);
  const document = problemOf(error);
  try {
    await store.setStatus(jobId, {
      status: 'FAILED',
      attempt,
      closedBy: 'finish',
      patch: { error: document },
    });
    await store.event(jobId, { level: 'error', message: document.detail });
    log.metric('JobsFinished', 1);
  } catch (failure) {
    // It ended meanwhile; the task fails with its own error either way.
    if (!isError(failure, 'Conflict')) throw failure;
  }
}
