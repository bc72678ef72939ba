import { setTimeout as pause } from 'node:timers/promises';
import { seededRng } from '#shared/determinism/rng.ts';
import { isError } from '#shared/task/errors.ts';
import { reply, request, scripted, testDoor } from '#test/shared/models/support/door.ts';
import { openFastWorld } from '#test/support/fast-world.ts';

/** One of several processes that spend one job's budget. Says how its callers fared, and what its model charged. */
export interface SpendOrder {
  dataDir: string;
  jobId: string;
  process: number;
  callers: number;
  speed: number;
  epoch: number;
}
export interface Spent {
  done: number;
  exhausted: number;
  other: string[];
  charged: number;
}

const order = JSON.parse(process.argv[2]!) as SpendOrder;
const { embedded, runtime } = openFastWorld(order);

const rng = seededRng('spend', order.process);
const spent: Spent = { done: 0, exhausted: 0, other: [], charged: 0 };
const provider = scripted(async () => {
  await pause(1 + rng.below(40));
  const output = rng.below(1000);
  spent.charged += 15 + 2 * output;
  return reply('fine', 60, output);
});
const { door, infer } = testDoor(runtime, { provider, jobId: order.jobId });
await Promise.all(
  Array.from({ length: order.callers }, async (_, n) => {
    // Callers come one after the other, so that leases are opened, drained and returned side by side.
    await pause(rng.below(300));
    try {
      await infer(request(`p${order.process}-${n}`));
      spent.done++;
    } catch (error) {
      if (isError(error, 'BudgetExhausted')) spent.exhausted++;
      else spent.other.push(String(error));
    }
  }),
);
await door.close();
await embedded.close();
process.stdout.write(JSON.stringify(spent));
