import { randomBytes } from 'node:crypto';
import { recordingServer, type RecordedRequest } from './support.ts';

/**
 * Step Functions' wire protocol in front of four scripted machines (see workflows.contract.ts): it records every
 * request and answers with the service's shapes, error types and page tokens. It interprets no state machine.
 */
const PREFIX = 'arn:aws:states:us-east-1:123456789012';
const PAGE = 1000;

interface Execution {
  executionArn: string;
  name: string;
  stateMachineArn: string;
  status: string;
  startDate: number;
  stopDate?: number;
  input: string;
  output?: string;
  error?: string;
  cause?: string;
  redriveCount: number;
}

class Refusal extends Error {
  readonly type: string;
  constructor(type: string) {
    super(`double: ${type}`);
    this.type = type;
  }
}

export async function stepFunctionsDouble(namePrefix: string) {
  const executions = new Map<string, Execution>();
  const tokens = new Map<string, { arn: string; open: boolean }>();
  let tick = 1_700_000_000;

  const end = (execution: Execution, status: string, result: Partial<Execution>): void => {
    Object.assign(execution, { status, stopDate: ++tick }, result);
  };
  const find = (arn: unknown): Execution => {
    const found = executions.get(String(arn));
    if (!found) throw new Refusal('ExecutionDoesNotExist');
    return found;
  };
  const useToken = (token: unknown, close: boolean): Execution => {
    const found = tokens.get(String(token));
    if (!found) throw new Refusal('InvalidToken');
    if (!found.open) throw new Refusal('TaskTimedOut');
    found.open = !close;
    return find(found.arn);
  };
  const paged = <T>(items: T[], input: Record<string, unknown>): { page: T[]; nextToken?: string } => {
    const from = Number(input['nextToken'] ?? 0);
    const to = from + Number(input['maxResults'] ?? PAGE);
    return { page: items.slice(from, to), ...(to < items.length ? { nextToken: String(to) } : {}) };
  };
  const historyOf = (execution: Execution) => {
    const types = ['ExecutionStarted', 'PassStateEntered', 'PassStateExited'];
    if (execution.status !== 'RUNNING')
      types.push(`Execution${execution.status[0]}${execution.status.slice(1).toLowerCase()}`);
    return types.map((type, n) => ({
      id: n + 1,
      previousEventId: n,
      type,
      timestamp: execution.startDate + n,
    }));
  };

  const operations: Record<string, (input: Record<string, unknown>) => object> = {
    StartExecution(input) {
      const [, machine] = String(input['stateMachineArn']).split(`:stateMachine:${namePrefix}`);
      const name = String(input['name']);
      if (!/^[\w.-]{1,80}$/.test(name)) throw new Refusal('InvalidName');
      if (!machine || !['echo', 'waits', 'flaky', 'token'].includes(machine.replace(/:live$/, ''))) {
        throw new Refusal('StateMachineDoesNotExist');
      }
      const bare = machine.replace(/:live$/, '');
      const executionArn = `${PREFIX}:execution:${namePrefix}${bare}:${name}`;
      const known = executions.get(executionArn);
      if (known) {
        if (known.status !== 'RUNNING' || known.input !== input['input'])
          throw new Refusal('ExecutionAlreadyExists');
        return { executionArn, startDate: known.startDate };
      }
      const execution: Execution = {
        executionArn,
        name,
        stateMachineArn: `${PREFIX}:stateMachine:${namePrefix}${bare}`,
        status: 'RUNNING',
        startDate: ++tick,
        input: String(input['input']),
        redriveCount: 0,
      };
      executions.set(executionArn, execution);
      if (bare === 'echo') end(execution, 'SUCCEEDED', { output: execution.input });
      if (bare === 'flaky') end(execution, 'FAILED', { error: 'Flaky', cause: 'once' });
      if (bare === 'token') tokens.set(randomBytes(8).toString('hex'), { arn: executionArn, open: true });
      return { executionArn, startDate: execution.startDate };
    },
    DescribeExecution: (input) => find(input['executionArn']),
    ListExecutions(input) {
      const all = [...executions.values()].filter(
        ({ stateMachineArn, status }) =>
          stateMachineArn === input['stateMachineArn'] &&
          (!input['statusFilter'] || status === input['statusFilter']),
      );
      const { page, ...next } = paged(all.toReversed(), input);
      const summary = page.map(
        ({ input: _input, output: _output, error: _error, cause: _cause, ...rest }) => rest,
      );
      return { executions: summary, ...next };
    },
    StopExecution(input) {
      const execution = find(input['executionArn']);
      end(execution, 'ABORTED', { error: input['error'] as string, cause: input['cause'] as string });
      return { stopDate: execution.stopDate };
    },
    RedriveExecution(input) {
      const execution = find(input['executionArn']);
      if (execution.status === 'RUNNING' || execution.status === 'SUCCEEDED')
        throw new Refusal('ExecutionNotRedrivable');
      execution.redriveCount++;
      delete execution.error;
      delete execution.cause;
      end(execution, 'SUCCEEDED', { output: '"mended"' });
      return { redriveDate: tick };
    },
    GetExecutionHistory(input) {
      const events = historyOf(find(input['executionArn']));
      const { page, ...next } = paged(input['reverseOrder'] ? events.toReversed() : events, input);
      return { events: page, ...next };
    },
    SendTaskSuccess(input) {
      end(useToken(input['taskToken'], true), 'SUCCEEDED', { output: String(input['output']) });
      return {};
    },
    SendTaskFailure(input) {
      end(useToken(input['taskToken'], true), 'FAILED', {
        error: input['error'] as string,
        cause: input['cause'] as string,
      });
      return {};
    },
    SendTaskHeartbeat: (input) => (useToken(input['taskToken'], false), {}),
  };

  const server = await recordingServer((request: RecordedRequest, response) => {
    const operation = String(request.headers['x-amz-target']).replace('AWSStepFunctions.', '');
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    try {
      response.end(
        JSON.stringify(
          operations[operation]!(JSON.parse(request.body.toString()) as Record<string, unknown>),
        ),
      );
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      response.statusCode = 400;
      response.end(JSON.stringify({ __type: error.type, message: error.message }));
    }
  });
  return {
    ...server,
    tokenOf: (arn: string) => [...tokens].find(([, token]) => token.arn === arn)![0],
  };
}
