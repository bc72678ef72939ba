import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  RedriveExecutionCommand,
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  type SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { canonicalJson } from '#shared/determinism/hash.ts';
import { invalidInput } from '#shared/task/errors.ts';
import type { ExecutionDescription, ExecutionStatus, HistoryEvent, Json, Workflows } from '../ports.ts';
import { calling } from './errors.ts';

export interface MachineNames {
  /** ARN of a machine up to and including the name prefix: `arn:aws:states:…:stateMachine:agentmill-prod-`. */
  arnPrefix: string;
  /** Alias that executions are started on, such as `live`; the newest revision without one. */
  alias?: string;
}

/** State payloads of the service: 256 KiB of text. */
const MAX_PAYLOAD_BYTES = 262_144;
const MAX_CAUSE = 32_768;
const MAX_ERROR = 256;

function payload(value: Json, what: string): string {
  const text = canonicalJson(value);
  if (Buffer.byteLength(text) > MAX_PAYLOAD_BYTES) {
    throw invalidInput(
      `The ${what} has more than ${MAX_PAYLOAD_BYTES} bytes: pass a reference to an artifact.`,
    );
  }
  return text;
}

const reasonOf = ({ error, cause }: { error?: string | undefined; cause?: string | undefined }) => ({
  ...(error === undefined ? {} : { error: error.slice(0, MAX_ERROR) }),
  ...(cause === undefined ? {} : { cause: cause.slice(0, MAX_CAUSE) }),
});

/** A redrive that waits for its turn is running as far as its caller is concerned. */
const statusOf = (status: string | undefined): ExecutionStatus =>
  status === 'PENDING_REDRIVE' || status === undefined ? 'RUNNING' : (status as ExecutionStatus);

/** The workflows port on Step Functions. Machines are named without the stage's prefix, as in the catalog. */
export class StepFunctionsWorkflows implements Workflows {
  readonly #client: SFNClient;
  readonly #names: () => Promise<MachineNames>;

  constructor(client: SFNClient, names: () => Promise<MachineNames>) {
    this.#client = client;
    this.#names = names;
  }

  async #machineOf(arn: string): Promise<string> {
    const { arnPrefix } = await this.#names();
    return arn.startsWith(arnPrefix) ? arn.slice(arnPrefix.length).split(':')[0]! : arn;
  }

  async start(request: {
    machine: string;
    name: string;
    input: Json;
  }): Promise<{ executionArn: string; started: number }> {
    const input = payload(request.input, 'input');
    const { arnPrefix, alias } = await this.#names();
    const answer = await calling(`Step Functions StartExecution ${request.machine}`, () =>
      this.#client.send(
        new StartExecutionCommand({
          stateMachineArn: `${arnPrefix}${request.machine}${alias === undefined ? '' : `:${alias}`}`,
          name: request.name,
          input,
        }),
      ),
    );
    return { executionArn: answer.executionArn!, started: answer.startDate!.getTime() };
  }

  async describe(executionArn: string): Promise<ExecutionDescription> {
    const answer = await calling('Step Functions DescribeExecution', () =>
      this.#client.send(new DescribeExecutionCommand({ executionArn })),
    );
    return {
      executionArn: answer.executionArn!,
      name: answer.name!,
      machine: await this.#machineOf(answer.stateMachineArn!),
      status: statusOf(answer.status),
      input: JSON.parse(answer.input ?? '{}') as Json,
      ...(answer.output === undefined ? {} : { output: JSON.parse(answer.output) as Json }),
      ...reasonOf(answer),
      started: answer.startDate!.getTime(),
      ...(answer.stopDate === undefined ? {} : { stopped: answer.stopDate.getTime() }),
      redriveCount: answer.redriveCount ?? 0,
    };
  }

  async list(query: {
    machine: string;
    status?: ExecutionStatus;
    limit?: number;
    cursor?: string;
  }): Promise<{ items: Omit<ExecutionDescription, 'input' | 'output'>[]; cursor?: string }> {
    const { arnPrefix } = await this.#names();
    const answer = await calling(`Step Functions ListExecutions ${query.machine}`, () =>
      this.#client.send(
        new ListExecutionsCommand({
          stateMachineArn: arnPrefix + query.machine,
          statusFilter: query.status,
          maxResults: query.limit,
          nextToken: query.cursor,
        }),
      ),
    );
    const items = (answer.executions ?? []).map((execution) => ({
      executionArn: execution.executionArn!,
      name: execution.name!,
      machine: query.machine,
      status: statusOf(execution.status),
      started: execution.startDate!.getTime(),
      ...(execution.stopDate === undefined ? {} : { stopped: execution.stopDate.getTime() }),
      redriveCount: execution.redriveCount ?? 0,
    }));
    return { items, ...(answer.nextToken === undefined ? {} : { cursor: answer.nextToken }) };
  }

  async stop(executionArn: string, reason: { error?: string; cause?: string } = {}): Promise<void> {
    await calling('Step Functions StopExecution', () =>
      this.#client.send(new StopExecutionCommand({ executionArn, ...reasonOf(reason) })),
    );
  }

  async redrive(executionArn: string): Promise<void> {
    await calling('Step Functions RedriveExecution', () =>
      this.#client.send(new RedriveExecutionCommand({ executionArn })),
    );
  }

  async history(
    executionArn: string,
    options: { limit?: number; cursor?: string; descending?: boolean } = {},
  ): Promise<{ events: HistoryEvent[]; cursor?: string }> {
    const answer = await calling('Step Functions GetExecutionHistory', () =>
      this.#client.send(
        new GetExecutionHistoryCommand({
          executionArn,
          maxResults: options.limit,
          nextToken: options.cursor,
          reverseOrder: options.descending,
        }),
      ),
    );
    const events = (answer.events ?? []).map(({ id, previousEventId, type, timestamp, ...details }) => ({
      ...details,
      id: id!,
      previousEventId: previousEventId ?? 0,
      type: type!,
      timestamp: timestamp!.getTime(),
    }));
    return { events, ...(answer.nextToken === undefined ? {} : { cursor: answer.nextToken }) };
  }

  async sendTaskSuccess(token: string, output: Json): Promise<void> {
    const text = payload(output, 'output');
    await calling('Step Functions SendTaskSuccess', () =>
      this.#client.send(new SendTaskSuccessCommand({ taskToken: token, output: text })),
    );
  }

  async sendTaskFailure(token: string, failure: { error?: string; cause?: string }): Promise<void> {
    await calling('Step Functions SendTaskFailure', () =>
      this.#client.send(new SendTaskFailureCommand({ taskToken: token, ...reasonOf(failure) })),
    );
  }

  async sendTaskHeartbeat(token: string): Promise<void> {
    await calling('Step Functions SendTaskHeartbeat', () =>
      this.#client.send(new SendTaskHeartbeatCommand({ taskToken: token })),
    );
  }
}
