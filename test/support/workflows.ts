import { canonicalJson } from '#shared/determinism/hash.ts';
import type { Clock } from '#shared/determinism/clock.ts';
import type { ExecutionDescription, ExecutionStatus, Json, Workflows } from '#shared/storage/ports.ts';
import { conflict, invalidInput, notFound } from '#shared/task/errors.ts';

/** Executions that do nothing until a test ends them; names behave as Step Functions' do. */
export interface MemoryWorkflows extends Workflows {
  readonly executions: ReadonlyMap<string, ExecutionDescription>;
  /** How often `start` made a new execution. */
  readonly starts: number;
  /** Ends an execution as its machine would. */
  finish(arn: string, end: { status: ExecutionStatus; output?: Json; error?: string; cause?: string }): void;
}

const arnOf = (machine: string, name: string): string =>
  `arn:aws:states:us-east-1:000000000000:execution:${machine}:${name}`;

export function memoryWorkflows(clock: Clock): MemoryWorkflows {
  const executions = new Map<string, ExecutionDescription>();
  let starts = 0;
  const need = (arn: string): ExecutionDescription => {
    const found = executions.get(arn);
    if (!found) throw notFound(`There is no execution ${arn}.`);
    return found;
  };
  const closeAs: MemoryWorkflows['finish'] = (arn, end) => {
    Object.assign(need(arn), end, { stopped: clock.now() });
  };
  return {
    executions,
    get starts() {
      return starts;
    },
    finish: closeAs,
    async start({ machine, name, input }) {
      const executionArn = arnOf(machine, name);
      const existing = executions.get(executionArn);
      if (existing) {
        if (existing.status === 'RUNNING' && canonicalJson(existing.input) === canonicalJson(input)) {
          return { executionArn, started: existing.started };
        }
        throw conflict(`ExecutionAlreadyExists: ${executionArn}`);
      }
      starts += 1;
      const started = clock.now();
      executions.set(executionArn, {
        executionArn,
        name,
        machine,
        status: 'RUNNING',
        input,
        started,
        redriveCount: 0,
      });
      return { executionArn, started };
    },
    describe: async (arn) => ({ ...need(arn) }),
    async list({ machine, status }) {
      const items = [...executions.values()].filter(
        (execution) => execution.machine === machine && (status === undefined || execution.status === status),
      );
      return { items };
    },
    async stop(arn, reason) {
      if (need(arn).status === 'RUNNING') closeAs(arn, { status: 'ABORTED', ...reason });
    },
    async redrive(arn) {
      const execution = need(arn);
      if (execution.status === 'RUNNING' || execution.status === 'SUCCEEDED') {
        throw conflict(`ExecutionNotRedrivable: ${arn} is ${execution.status}.`);
      }
      execution.status = 'RUNNING';
      execution.redriveCount += 1;
    },
    history: async () => ({ events: [] }),
    sendTaskSuccess: async () => {
      throw invalidInput('InvalidToken');
    },
    sendTaskFailure: async () => {
      throw invalidInput('InvalidToken');
    },
    sendTaskHeartbeat: async () => {
      throw invalidInput('InvalidToken');
    },
  };
}
