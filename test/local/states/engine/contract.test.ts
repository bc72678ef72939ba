import { bareEngine, machine, T } from './support.ts';
import { systemClock } from '#shared/determinism/clock.ts';
import { StateFailed } from '#local/states/engine/failure.ts';
import { workflowsContract } from '#test/contract/workflows.contract.ts';

workflowsContract('embedded engine', async () => {
  const tokens = new Map<string, string>();
  let flaked = false;
  const engine = bareEngine({
    store: ':memory:',
    clock: systemClock,
    invoke: async (name, event, { context }) => {
      if (context.taskToken !== undefined) tokens.set(context.executionArn, context.taskToken);
      if (name === 'flaky' && !flaked) {
        flaked = true;
        throw new StateFailed({ error: 'Flaky', cause: 'once' });
      }
      return name === 'flaky' ? 'mended' : event;
    },
  });
  const task = (FunctionName: string) => ({ Arguments: { FunctionName, Payload: {} } });
  engine.createMachine('echo', machine({ S: { Type: 'Pass', End: true } }));
  engine.createMachine('waits', machine({ S: { Type: 'Wait', Seconds: 3600, End: true } }));
  engine.createMachine('flaky', T({ ...task('flaky'), Output: '{% $states.result.Payload %}' }));
  const resource = { Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken', HeartbeatSeconds: 3600 };
  engine.createMachine('token', T({ ...task('token'), ...resource }));
  return {
    workflows: engine,
    async tokenOf(arn) {
      for (;;) {
        const token = tokens.get(arn);
        if (token !== undefined) return token;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    close: () => engine.close(),
  };
});
