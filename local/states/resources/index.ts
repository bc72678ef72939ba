import { randomUUID } from 'node:crypto';
import type { Clock } from '#shared/determinism/clock.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { Task } from '../engine/model.ts';
import { sdkMetadata } from '../engine/sdk-metadata.ts';
import { dynamodb, type TableOf } from './dynamodb.ts';
import { callFunction, invokeLambda, type Invoke, type InvokeOptions } from './lambda.ts';
import { getObject, putObject, type ArtifactsOf } from './s3.ts';
import { sendMessage, type QueueOf } from './sqs.ts';

export { FunctionNotFound } from './errors.ts';
export type { Table, TableOf } from './dynamodb.ts';
export type { InvocationContext, Invoke, InvokeOptions } from './lambda.ts';
export { queueNameOf, type QueueOf } from './sqs.ts';
export type { ArtifactsOf } from './s3.ts';

export interface Services {
  clock: Clock;
  artifactsOf: ArtifactsOf;
  queueOf: QueueOf;
  tableOf: TableOf;
  invoke: Invoke;
}

/** Does what a task asks of a service (embedded-platform section 4). `states:startExecution` is the engine's own. */
export async function perform(task: Task, services: Services, signal: AbortSignal): Promise<Json> {
  const { resource } = task;
  const requestId = randomUUID();
  // Through JSON text, as over the network: a task cannot change what the engine keeps.
  const args = JSON.parse(task.parameters.text) as { [key: string]: Json };
  const options: InvokeOptions = {
    signal,
    ...(task.timeoutSeconds === undefined ? {} : { timeoutMs: task.timeoutSeconds * 1000 }),
    context: {
      executionArn: task.execution.arn,
      stateName: task.frame.state,
      attempt: task.frame.retryCount,
      ...(resource.pattern === 'token' ? { taskToken: task.token } : {}),
    },
  };
  switch (resource.service) {
    case 'function':
      return callFunction(resource.arn, args, services.invoke, options, requestId);
    case 'lambda':
      return invokeLambda(args, services.invoke, options, requestId, services.clock);
    case 'sqs':
      return withMetadata(await sendMessage(args, services.queueOf, requestId), requestId);
    case 'dynamodb':
      return withMetadata(await dynamodb(resource.action, args, services.tableOf, requestId), requestId);
    case 'aws-sdk:s3':
      return resource.action === 'getObject'
        ? getObject(args, services.artifactsOf, requestId)
        : putObject(args, services.artifactsOf, requestId);
    default:
      throw new Error(`The resource ${resource.arn} has no implementation.`);
  }
}

const withMetadata = (result: { [key: string]: Json }, requestId: string): Json => ({
  ...result,
  ...sdkMetadata(requestId, JSON.stringify(result)),
});
