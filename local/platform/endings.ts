import type { Engine } from '#local/states/index.ts';
import { pages } from '#shared/storage/all-items.ts';
import type { Queue, Workflows } from '#shared/storage/ports.ts';

/**
 * The workflows port that tells `starts` of executions that ended badly, as EventBridge does of status changes on AWS.
 * @returns the port, and `watchRunning`, which watches what an earlier process left running.
 */
export function announceEndings(
  engine: Engine,
  starts: Queue,
  onError: (error: unknown) => void,
): { workflows: Workflows; watchRunning(machines: string[]): Promise<void> } {
  const watch = (executionArn: string): void => {
    engine
      .wait(executionArn)
      .then(async (status) => {
        if (status === 'SUCCEEDED') return;
        const { machine, name, stopped } = await engine.describe(executionArn);
        const detail = { executionArn, stateMachineArn: machine, name, status };
        await starts.send([
          {
            body: JSON.stringify({
              source: 'aws.states',
              'detail-type': 'Step Functions Execution Status Change',
              time: new Date(stopped ?? 0).toISOString(),
              detail,
            }),
          },
        ]);
      })
      .catch(onError);
  };
  const workflows: Workflows = {
    async start(request) {
      const started = await engine.start(request);
      watch(started.executionArn);
      return started;
    },
    async redrive(executionArn) {
      await engine.redrive(executionArn);
      watch(executionArn);
    },
    describe: (executionArn) => engine.describe(executionArn),
    list: (query) => engine.list(query),
    stop: (executionArn, reason) => engine.stop(executionArn, reason),
    history: (executionArn, options) => engine.history(executionArn, options),
    sendTaskSuccess: (token, output) => engine.sendTaskSuccess(token, output),
    sendTaskFailure: (token, failure) => engine.sendTaskFailure(token, failure),
    sendTaskHeartbeat: (token) => engine.sendTaskHeartbeat(token),
  };
  return {
    workflows,
    async watchRunning(machines) {
      for (const machine of machines) {
        const running = pages((from) => engine.list({ machine, status: 'RUNNING', ...from }));
        for await (const executions of running) {
          for (const { executionArn } of executions) watch(executionArn);
        }
      }
    },
  };
}
