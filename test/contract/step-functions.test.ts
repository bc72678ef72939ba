import { SFNClient } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StepFunctionsWorkflows } from '#shared/storage/aws/step-functions.ts';
import { stepFunctionsDouble } from './step-functions-double.ts';
import { localClient } from './support.ts';
import { workflowsContract } from './workflows.contract.ts';

const names = {
  arnPrefix: 'arn:aws:states:us-east-1:123456789012:stateMachine:agentmill-test-',
  alias: 'live',
};

const open = async () => {
  const double = await stepFunctionsDouble('agentmill-test-');
  const client = new SFNClient({ ...localClient(double.url), maxAttempts: 1 });
  return {
    double,
    workflows: new StepFunctionsWorkflows(client, async () => names),
    close: async () => {
      client.destroy();
      await double.close();
    },
  };
};

workflowsContract('Step Functions (recording double)', async () => {
  const { double, workflows, close } = await open();
  return { workflows, tokenOf: async (arn) => double.tokenOf(arn), close };
});

describe('Step Functions adapter on the wire', () => {
  let opened: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    opened = await open();
  });
  afterAll(() => opened.close());

  const sent = () => {
    const request = opened.double.requests.at(-1)!;
    return { target: request.headers['x-amz-target'], body: JSON.parse(request.body.toString()) as unknown };
  };

  it('starts on the alias, with canonical input', async () => {
    const { executionArn } = await opened.workflows.start({
      machine: 'waits',
      name: 'n.1',
      input: { b: 1, a: [2] },
    });
    expect(sent()).toEqual({
      target: 'AWSStepFunctions.StartExecution',
      body: { stateMachineArn: `${names.arnPrefix}waits:live`, name: 'n.1', input: '{"a":[2],"b":1}' },
    });
    await opened.workflows.list({ machine: 'waits', status: 'RUNNING', limit: 7, cursor: '3' });
    expect(sent()).toEqual({
      target: 'AWSStepFunctions.ListExecutions',
      body: {
        stateMachineArn: `${names.arnPrefix}waits`,
        statusFilter: 'RUNNING',
        maxResults: 7,
        nextToken: '3',
      },
    });
    await opened.workflows.history(executionArn, { limit: 5, descending: true });
    expect(sent()).toEqual({
      target: 'AWSStepFunctions.GetExecutionHistory',
      body: { executionArn, maxResults: 5, reverseOrder: true },
    });
  });

  it('cuts errors and causes to what the service takes', async () => {
    const { executionArn } = await opened.workflows.start({ machine: 'waits', name: 'long', input: {} });
    await opened.workflows.stop(executionArn, { error: 'e'.repeat(300), cause: 'c'.repeat(40_000) });
    const body = sent().body as { error: string; cause: string };
    expect([body.error.length, body.cause.length]).toEqual([256, 32_768]);
  });
});
