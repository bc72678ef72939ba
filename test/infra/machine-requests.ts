import { bindPlaceholders } from '#shared/task/placeholders.ts';

/** What Step Functions asks of other services, and of itself, with the role of a machine (its developer guide says which). */

export interface Request {
  action: string;
  resource: string;
}

interface State {
  Type: string;
  Resource?: string;
  Label?: string;
  Arguments?: { FunctionName?: string; StateMachineArn?: string };
  ItemProcessor?: { ProcessorConfig?: { Mode?: string }; States: Record<string, State> };
  ResultWriter?: { Resource: string };
  Branches?: { States: Record<string, State> }[];
}

const on = (resource: string, ...actions: string[]): Request[] =>
  actions.map((action) => ({ action, resource }));

/** Delivery of logs to a log group, and traces, which every one of our machines has. */
const ALWAYS = on(
  '*',
  ...[
    'CreateLogDelivery',
    'GetLogDelivery',
    'UpdateLogDelivery',
    'DeleteLogDelivery',
    'ListLogDeliveries',
  ].map((name) => `logs:${name}`),
  ...['PutResourcePolicy', 'DescribeResourcePolicies', 'DescribeLogGroups'].map((name) => `logs:${name}`),
  ...['PutTraceSegments', 'PutTelemetryRecords', 'GetSamplingRules', 'GetSamplingTargets'].map(
    (name) => `xray:${name}`,
  ),
);

/** An execution of a machine, or of a map's child where a label is given. */
const executionOf = (machine: string, label = ''): string =>
  `${machine.replace(':stateMachine:', ':execution:')}${label && `/${label}`}:name`;

/**
 * The requests that a definition makes of a machine's role, but for the objects its maps read and write: their keys are
 * known when it runs.
 * @throws Error on an integration that is not known here: add what its page of the developer guide lists.
 */
export function requestsOf(
  definition: string,
  substitutions: Record<string, string>,
  machine: string,
): Request[] {
  const { States } = JSON.parse(bindPlaceholders(definition, substitutions)) as {
    States: Record<string, State>;
  };
  const region = machine.split(':').slice(3, 5).join(':');
  const rule = `arn:aws:events:${region}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule`;
  const ofTask = ({ Resource = '', Arguments = {} }: State): Request[] => {
    const { FunctionName = '', StateMachineArn = '' } = Arguments;
    switch (Resource.replace('arn:aws:states:::', '')) {
      case 'lambda:invoke':
      case 'lambda:invoke.waitForTaskToken':
        return on(FunctionName, 'lambda:InvokeFunction');
      case 'states:startExecution.sync:2':
        return [
          ...on(StateMachineArn, 'states:StartExecution'),
          ...on(executionOf(StateMachineArn), 'states:DescribeExecution', 'states:StopExecution'),
          ...on(rule, 'events:PutTargets', 'events:PutRule', 'events:DescribeRule'),
        ];
      default:
        throw new Error(`What a machine's role needs for ${Resource} is not known here.`);
    }
  };
  const walk = (states: Record<string, State>): Request[] =>
    Object.values(states).flatMap((state) => [
      ...(state.Type === 'Task' ? ofTask(state) : []),
      ...(state.ItemProcessor?.ProcessorConfig?.Mode === 'DISTRIBUTED'
        ? [
            ...on(machine, 'states:StartExecution'),
            ...on(executionOf(machine), 'states:DescribeExecution', 'states:StopExecution'),
            ...on(executionOf(machine, state.Label), 'states:RedriveExecution'),
          ]
        : []),
      ...(state.ItemProcessor ? walk(state.ItemProcessor.States) : []),
      ...(state.Branches ?? []).flatMap((branch) => walk(branch.States)),
    ]);
  return [...ALWAYS, ...walk(States)];
}

/** What is asked for the objects that maps used: whoever writes results may do so in parts, and reads them at a redrive. */
export function objectRequests(used: Iterable<{ method: 'get' | 'put'; arn: string }>): Request[] {
  return [...used].flatMap(({ method, arn }) =>
    method === 'get'
      ? on(arn, 's3:GetObject')
      : on(arn, 's3:PutObject', 's3:GetObject', 's3:ListMultipartUploadParts', 's3:AbortMultipartUpload'),
  );
}
