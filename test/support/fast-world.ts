import { randomIds } from '#shared/determinism/ids.ts';
import { systemClock } from '#shared/determinism/clock.ts';
import { openEmbedded, type Embedded } from '#shared/storage/embedded/index.ts';
import type { Runtime } from '#shared/task/runtime.ts';

/** The embedded ports of a child process in a world whose time began at `epoch` and runs `speed` times faster. */
export function openFastWorld(order: { dataDir: string; epoch: number; speed: number }): {
  embedded: Embedded;
  runtime: Runtime;
} {
  const embedded = openEmbedded({ dataDir: order.dataDir });
  const runtime: Runtime = {
    kind: 'embedded',
    artifacts: embedded.artifacts(),
    bucket: (name) => embedded.artifacts(name),
    records: embedded.records,
    queue: (name) => embedded.queue(name),
    workflows: undefined as never,
    clock: {
      now: () => order.epoch + (Date.now() - order.epoch) * order.speed,
      sleep: (ms, signal) => systemClock.sleep(ms / order.speed, signal),
    },
    ids: randomIds,
    env: {},
    writeLog: () => undefined,
  };
  return { embedded, runtime };
}
