import type { TaskResource } from '../types.ts';
import { isObject, type Fields } from './fields.ts';
import { marksOf } from '../expression.ts';

interface Integration {
  required: readonly string[];
  /** All fields there are; absent where the service's own list is longer than ours. */
  fields?: readonly string[];
}

/** Every service integration the engine implements (embedded-platform section 4), by the end of its ARN. */
const INTEGRATIONS: Record<string, Integration> = {
  'lambda:invoke': { required: ['FunctionName'], fields: ['FunctionName', 'Payload', 'Qualifier'] },
  'lambda:invoke.waitForTaskToken': {
    required: ['FunctionName'],
    fields: ['FunctionName', 'Payload', 'Qualifier'],
  },
  'sqs:sendMessage': {
    required: ['QueueUrl', 'MessageBody'],
    fields: ['QueueUrl', 'MessageBody', 'DelaySeconds'],
  },
  'sqs:sendMessage.waitForTaskToken': {
    required: ['QueueUrl', 'MessageBody'],
    fields: ['QueueUrl', 'MessageBody', 'DelaySeconds'],
  },
  'states:startExecution': { required: ['StateMachineArn'], fields: ['StateMachineArn', 'Input', 'Name'] },
  'states:startExecution.sync:2': {
    required: ['StateMachineArn'],
    fields: ['StateMachineArn', 'Input', 'Name'],
  },
  'dynamodb:getItem': { required: ['TableName', 'Key'] },
  'dynamodb:putItem': { required: ['TableName', 'Item'] },
  'dynamodb:updateItem': { required: ['TableName', 'Key'] },
  'aws-sdk:s3:getObject': { required: ['Bucket', 'Key'] },
  'aws-sdk:s3:putObject': { required: ['Bucket', 'Key'] },
};

const INTEGRATION_ARN = /^arn:aws(?:-cn|-us-gov)?:states:[^:]*:[^:]*:(.+)$/;
const FUNCTION_ARN = /^arn:aws(?:-cn|-us-gov)?:lambda:[^:]*:[^:]*:function:[^:]+(?::[^:]+)?$/;

/** A task's resource, parsed, or undefined where it is none that the engine implements. */
export function parseResource(arn: string): TaskResource | undefined {
  if (FUNCTION_ARN.test(arn)) return { arn, service: 'function', action: 'invoke', pattern: 'request' };
  const integration = INTEGRATION_ARN.exec(arn)?.[1];
  if (integration === undefined || !Object.hasOwn(INTEGRATIONS, integration)) return undefined;
  const [call, suffix] = splitOnce(integration, '.');
  const at = call.lastIndexOf(':');
  const pattern = suffix === 'waitForTaskToken' ? 'token' : suffix === 'sync:2' ? 'sync' : 'request';
  return { arn, service: call.slice(0, at), action: call.slice(at + 1), pattern };
}

/** Reads and checks a Task's `Resource`, and what literal `Arguments` must and may hold. */
export function taskResource(fields: Fields, express: boolean): TaskResource | undefined {
  const arn = fields.text('Resource', { required: true });
  if (arn === undefined || arn.includes('${')) return undefined;
  const resource = parseResource(arn);
  if (!resource) {
    const message = `The resource '${arn}' is not supported`;
    fields.diagnostics.add('UNSUPPORTED_RESOURCE', fields.at('Resource'), message);
    return undefined;
  }
  if (express && resource.pattern !== 'request') {
    const message = `The resource '${arn}' waits for an answer, which children of an EXPRESS map cannot`;
    fields.diagnostics.add('UNSUPPORTED_RESOURCE', fields.at('Resource'), message);
  }
  const integration = INTEGRATIONS[INTEGRATION_ARN.exec(arn)?.[1] ?? ''];
  if (integration) checkArguments(fields, integration);
  return resource;
}

function checkArguments(fields: Fields, integration: Integration): void {
  const value = fields.get('Arguments');
  if (value === undefined || (typeof value === 'string' && marksOf(value) !== 'literal')) return;
  if (!isObject(value))
    return fields.refuse('Arguments', "Field 'Arguments' must be an object or a JSONata expression");
  const inner = fields.child('Arguments')!;
  for (const name of integration.required) if (!inner.has(name)) inner.missing(name);
  if (integration.fields) inner.only(integration.fields);
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + mark.length)];
}
