import type { ExecutionDescription } from '#shared/storage/ports.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { openEnvelope } from '#shared/task/envelope.ts';
import { isError } from '#shared/task/errors.ts';
import { jobControl } from '#shared/task/job-control.ts';
import type { Job } from '#shared/task/jobs.ts';
import type { Runtime } from '#shared/task/runtime.ts';

/** Executions that ended without finishing their job. */

/** The workflow of an execution's machine: its name, `agentmill-<stage>-<name>`, or an ARN that ends so. */
function workflowOf(
  catalog: readonly WorkflowEntry[],
  machine: string,
  stage: string | undefined,
): string | undefined {
  const last = machine.split(':').at(-1) ?? machine;
  return catalog.find(({ name }) => last === name || last === `agentmill-${stage ?? ''}-${name}`)?.name;
}

/** Children of a Distributed Map have the map's label in their machine part: they are their parent's business. */
const isChild = (executionArn: string): boolean => executionArn.split(':').slice(5).join(':').includes('/');

/**
 * Closes the job of an execution that has ended, if its own finish did not. Asks for the execution as it is now: a
 * notification may be late, and the execution redriven since.
 * @returns the closed job, or undefined where there was nothing to close.
 */
export async function closeExecution(
  runtime: Runtime,
  catalog: readonly WorkflowEntry[],
  executionArn: string,
): Promise<Job | undefined> {
  if (isChild(executionArn)) return undefined;
  let execution: ExecutionDescription;
  try {
    execution = await runtime.workflows.describe(executionArn);
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  }
  const workflow = workflowOf(catalog, execution.machine, runtime.env.AGENTMILL_STAGE);
  if (workflow === undefined) return undefined;
  let opened;
  try {
    opened = openEnvelope(workflow, execution.name, execution.input);
  } catch (error) {
    // An envelope of another workflow's job: begin refused it, and no job is its.
    if (isError(error, 'InvalidInput')) return undefined;
    throw error;
  }
  const control = jobControl(runtime, catalog);
  const stored = await control.store.get(opened.jobId);
  if (!stored || stored.job.attempt !== opened.attempt) return undefined;
  return control.closeEnded(stored, execution);
}
