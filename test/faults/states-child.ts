import { appendFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createEngine } from '#local/states/index.ts';
import { memoryObjects } from '#local/states/run/objects.ts';
import type { Records } from '#shared/storage/ports.ts';

/**
 * A process that owns an engine and is killed at any time: `states-child.ts <directory> <items>`. Every call of the
 * function is noted in `calls.log` when it begins and again when its result has been given.
 */
const [directory, items] = [process.argv[2]!, Number(process.argv[3])];
const log = join(directory, 'calls.log');

const engine = createEngine({
  store: join(directory, 'states.sqlite'),
  artifactsOf: memoryObjects(() => Date.now()),
  records: {} as Records,
  queueOf: () => undefined,
  invoke: async (_name, event, { context }) => {
    appendFileSync(log, `${context.executionArn} ${JSON.stringify(event)}\n`);
    await delay(1);
    return event;
  },
  onError: (error) => {
    writeSync(2, `${String(error)}\n`);
    process.exit(9);
  },
});
engine.createMachine('map', {
  QueryLanguage: 'JSONata',
  StartAt: 'M',
  States: {
    M: {
      Type: 'Map',
      Items: `{% $range(1, ${items}, 1) %}`,
      MaxConcurrency: 50,
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
        StartAt: 'T',
        States: {
          T: {
            Type: 'Task',
            Resource: 'arn:aws:states:::lambda:invoke',
            Arguments: { FunctionName: 'f', Payload: '{% $states.input %}' },
            Output: '{% $states.result.Payload %}',
            End: true,
          },
        },
      },
      Output: '{% $sum($states.result) %}',
      End: true,
    },
  },
});
if (!(await engine.resume())) process.exit(8);
const { executionArn } = await engine
  .start({ machine: 'map', name: 'killed', input: {} })
  .catch(async () => ({
    executionArn: (await engine.list({ machine: 'map' })).items[0]!.executionArn,
  }));
await engine.wait(executionArn);
await engine.close();
