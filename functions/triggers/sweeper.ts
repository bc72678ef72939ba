import type { ExecutionDescription, Workflows } from '#shared/storage/ports.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { executionName } from '#shared/task/envelope.ts';
import { isError } from '#shared/task/errors.ts';
import { jobControl, type JobControl } from '#shared/task/job-control.ts';
import type { StoredJob } from '#shared/task/job-store.ts';
import { isTerminal } from '#shared/task/jobs.ts';
import { currentRuntime, type Runtime } from '#shared/task/runtime.ts';
import { triggerLog } from './trigger-log.ts';

/** Brings jobs in line with their executions where an event was lost (infra-api-cli section 8). */

export interface SweepResult {
  /** Jobs looked at. */
  active: number;
  /** Started, closed or stopped because nothing else had done it. */
  repaired: number;
  /** Jobs that could not be looked after this time. */
  failed: number;
}

/** A request's own start has this long before the sweeper helps. */
const START_GRACE_MS = 60_000;
/** A mark without a job is one whose creation was cut off. */
const MARK_GRACE_MS = 10 * 60_000;
/** How long a job that was asked to stop may take to stop itself. */
const CANCEL_GRACE_MS = 2 * 60_000;
const MAX_PAGES = 10;

type Repair = 'started' | 'closed' | 'stopped' | 'forgotten';

/** Makes the sweeper of a catalog. Looks at jobs that have not ended, nothing else. */
export function createSweeper(catalog: readonly WorkflowEntry[]): (event?: unknown) => Promise<SweepResult> {
  return async () => {
    const runtime = await currentRuntime();
    const { log, metrics, writeMetrics } = triggerLog(runtime, 'sweep');
    const control = jobControl(runtime, catalog);
    const result: SweepResult = { active: 0, repaired: 0, failed: 0 };
    for (const { name } of catalog) {
      for (const mark of await control.store.active(name)) {
        result.active += 1;
        try {
          const repair = await look(runtime, control, name, mark);
          if (repair === undefined) continue;
          if (repair !== 'forgotten') result.repaired += 1;
          log.warn('A job was repaired.', { jobId: mark.jobId, repair });
        } catch (error) {
          // One job's trouble must not keep the others waiting.
          result.failed += 1;
          log.error('A job could not be looked after.', { jobId: mark.jobId, error });
        }
      }
    }
    metrics.add('SweeperRepairs', result.repaired);
    writeMetrics();
    return result;
  };
}

async function look(
  runtime: Runtime,
  control: JobControl,
  workflow: string,
  mark: { jobId: string; owner: string; since: string },
): Promise<Repair | undefined> {
  const { clock, workflows } = runtime;
  const age = (time: string): number => clock.now() - Date.parse(time);
  const stored = await control.store.get(mark.jobId);
  if (!stored || isTerminal(stored.job.status)) {
    if (!stored && age(mark.since) < MARK_GRACE_MS) return undefined;
    await control.store.deactivate(workflow, mark.owner, mark.jobId);
    return 'forgotten';
  }
  const { job } = stored;
  if (job.executionId === undefined) {
    return age(mark.since) < START_GRACE_MS ? undefined : startLost(workflows, control, stored);
  }
  const execution = await describe(workflows, job.executionId);
  if (execution?.status !== 'RUNNING') {
    return (await control.closeEnded(stored, execution ?? gone(stored))) ? 'closed' : undefined;
  }
  if (stored.cancelRequestedAt !== undefined && age(stored.cancelRequestedAt) >= CANCEL_GRACE_MS) {
    await control.forceCancel(stored);
    return 'stopped';
  }
  return undefined;
}

/** Starts a job whose start was cut off; where its execution was started and has ended unseen, closes it. */
async function startLost(
  workflows: Workflows,
  control: JobControl,
  stored: StoredJob,
): Promise<Repair | undefined> {
  if (stored.cancelRequestedAt !== undefined) {
    await control.forceCancel(stored);
    return 'stopped';
  }
  const started = await control.start(stored.job);
  if (started.executionId !== undefined) return 'started';
  // The name is used up: the execution exists, but nobody noted it.
  const { workflow, jobId, attempt } = stored.job;
  const found = await find(workflows, workflow, executionName(jobId, attempt));
  if (!found) return undefined;
  await control.store.update(jobId, { executionId: found });
  const execution = await workflows.describe(found);
  return (await control.closeEnded(await control.store.require(jobId), execution)) ? 'closed' : 'started';
}

async function find(workflows: Workflows, machine: string, name: string): Promise<string | undefined> {
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const listed = await workflows.list({ machine, limit: 100, ...(cursor === undefined ? {} : { cursor }) });
    const match = listed.items.find((item) => item.name === name);
    if (match) return match.executionArn;
    cursor = listed.cursor;
    if (cursor === undefined) return undefined;
  }
  return undefined;
}

async function describe(
  workflows: Workflows,
  executionArn: string,
): Promise<ExecutionDescription | undefined> {
  try {
    return await workflows.describe(executionArn);
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** An execution that is not known any more has ended, one way or another. */
const gone = ({ job }: StoredJob): ExecutionDescription => ({
  executionArn: job.executionId!,
  name: executionName(job.jobId, job.attempt),
  machine: job.workflow,
  status: 'SUCCEEDED',
  input: job.input,
  started: 0,
  redriveCount: 0,
});
