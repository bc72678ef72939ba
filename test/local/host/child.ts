import { setTimeout as delay } from 'node:timers/promises';
import { createFunctionHost } from '#local/host/index.ts';

/** Runs stray errors under a host in a process of its own, where no test runner listens for them too. */
const late: string[] = [];
const stray = (body: () => unknown) => ({ load: async () => async () => (body(), delay(5_000)) });
const host = createFunctionHost({
  graceMs: 50,
  onLateError: (name, error) => late.push(`${name}: ${error.message}`),
  functions: {
    rejection: stray(() => void Promise.reject(new Error('nobody catches this'))),
    timer: stray(() => setTimeout(() => Promise.reject(new TypeError('from a timer')), 5)),
    exception: stray(() =>
      setImmediate(() => {
        throw new RangeError('thrown apart');
      }),
    ),
    exit: { load: async () => async () => process.exit(3) },
    caught: {
      load: async () => async () => {
        try {
          process.exit(4);
        } catch {
          return 'went on';
        }
      },
    },
    late: {
      load: async () => async () => (
        setTimeout(() => {
          throw new Error('too late');
        }, 20),
        'done'
      ),
    },
    fine: { load: async () => async (event: unknown) => event },
  },
});
const outcomes: Record<string, unknown> = {};
const call = async (name: string): Promise<void> => {
  outcomes[name] = await host
    .invoke(name, { n: 1 })
    .catch((error: Error) => `${error.name}: ${error.message}`);
};
await Promise.all(['rejection', 'timer', 'exception', 'exit', 'caught', 'late', 'fine'].map(call));
outcomes['after'] = await host.invoke('fine', 'still here');
await delay(60);
await host.close();
process.stdout.write(JSON.stringify({ outcomes, late }));
process.exit(0);
