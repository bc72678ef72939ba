import type { SQSRecord } from 'aws-lambda';
import { CreateBody } from '#functions/api/schemas.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { fieldProblems, describeProblems } from '#shared/task/fields.ts';
import { jobControl, type CreateRequest } from '#shared/task/job-control.ts';
import { ProblemError } from '#shared/task/problems.ts';
import { batchTask, type BatchHandler, type MessageContext } from './batch.ts';
import { closeExecution } from './executions.ts';
import { readMessage, type StartMessage } from './messages.ts';
import { startFromObject } from './object-created.ts';
import { recordRejected } from './rejected.ts';

/** The queue `starts`: objects, create bodies, schedules, and executions that ended badly. */

export const QUEUE_OWNER = 'queue';
export const SCHEDULE_OWNER = 'schedule';

/** Makes the handler of the queue for a catalog. Only what may pass is reported back to the queue. */
export function createStarter(catalog: readonly WorkflowEntry[]): BatchHandler {
  return batchTask('start', (record, context) => startFrom(record, context, catalog));
}

async function startFrom(
  { messageId, body }: SQSRecord,
  context: MessageContext,
  catalog: readonly WorkflowEntry[],
): Promise<void> {
  let message: StartMessage;
  try {
    message = readMessage(body);
  } catch {
    const error = new ProblemError('malformed-json', 'The message is not JSON.');
    return recordRejected(context, catalog, rejectedMessage(messageId, undefined, QUEUE_OWNER, error));
  }
  switch (message.kind) {
    case 'object':
      return startFromObject(context, catalog, message.object);
    case 'ended': {
      const closed = await closeExecution(context.runtime, catalog, message.executionArn);
      if (!closed) return;
      context.log.metric('JobsFinished', 1);
      context.log.warn('An execution ended without finishing its job.', {
        jobId: closed.jobId,
        status: closed.status,
      });
      return;
    }
    case 'schedule': {
      const { workflow, input, scheduledAt } = message;
      const request = { workflow, input, owner: SCHEDULE_OWNER, idempotencyKey: scheduledAt };
      return create(context, catalog, messageId, request);
    }
    case 'body':
      return startFromBody(context, catalog, messageId, message.body);
  }
}

async function startFromBody(
  context: MessageContext,
  catalog: readonly WorkflowEntry[],
  messageId: string,
  body: unknown,
): Promise<void> {
  const parsed = CreateBody.safeParse(body);
  if (!parsed.success) {
    const problems = fieldProblems(parsed.error);
    const detail = `The message is no create body. ${describeProblems(problems)}`;
    const error = new ProblemError('invalid-input', detail, { problems });
    const named = (body as { workflow?: unknown } | null)?.workflow;
    const workflow = typeof named === 'string' ? named : undefined;
    return recordRejected(context, catalog, rejectedMessage(messageId, workflow, QUEUE_OWNER, error));
  }
  const { workflow, input, budget, model, idempotencyKey = messageId } = parsed.data;
  const request = { workflow, input: input as Json, budget, model, owner: QUEUE_OWNER, idempotencyKey };
  return create(context, catalog, messageId, request);
}

async function create(
  context: MessageContext,
  catalog: readonly WorkflowEntry[],
  messageId: string,
  request: CreateRequest,
): Promise<void> {
  try {
    const { job, replayed } = await jobControl(context.runtime, catalog).create(request);
    if (replayed) return;
    context.log.metric('JobsStarted', 1);
    context.log.info('A message started a job.', { jobId: job.jobId, owner: request.owner });
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    await recordRejected(
      context,
      catalog,
      rejectedMessage(messageId, request.workflow, request.owner, error),
    );
  }
}

const rejectedMessage = (
  messageId: string,
  workflow: string | undefined,
  owner: string,
  error: ProblemError,
) => ({
  workflow,
  owner,
  identity: ['message', messageId],
  input: { messageId },
  error,
});
