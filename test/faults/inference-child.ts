import { appendFileSync } from 'node:fs';
import { systemClock } from '#shared/determinism/clock.ts';
import { randomIds } from '#shared/determinism/ids.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { runBatch } from '#shared/models/batch/run.ts';
import { Door } from '#shared/models/door/door.ts';
import { parseRegistry } from '#shared/models/registry.ts';
import { ProviderError, type Provider } from '#shared/models/types.ts';
import { openEmbedded } from '#shared/storage/embedded/index.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { Runtime } from '#shared/task/runtime.ts';

/**
 * Runs a batch against a model that fails as told, and can be killed at any time. Every answer the model bills is
 * first appended to a file, as an endpoint's own books would be.
 */
interface Order {
  dataDir: string;
  jobId: string;
  requests: ArtifactRef;
  bill: string;
  faults: boolean;
  epoch: number;
  speed: number;
}
const order = JSON.parse(process.argv[2]!) as Order;

const embedded = openEmbedded({ dataDir: order.dataDir });
// Everybody's time runs faster, so that back-off, breaker and lapsed leases take their course within the test.
const clock = {
  now: () => order.epoch + (Date.now() - order.epoch) * order.speed,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / order.speed, signal),
};
const runtime: Runtime = {
  kind: 'embedded',
  artifacts: embedded.artifacts(),
  bucket: (name) => embedded.artifacts(name),
  records: embedded.records,
  queue: (name) => embedded.queue(name),
  workflows: undefined as never,
  clock,
  ids: randomIds,
  env: {},
  writeLog: () => undefined,
};

const tries = new Map<string, number>();
const provider: Provider = {
  name: 'openai',
  async call({ request }) {
    const id = request.id;
    const nth = tries.get(id) ?? 0;
    tries.set(id, nth + 1);
    await systemClock.sleep(1);
    // Faults are drawn per request and try; never more than two in a row.
    const draw = order.faults && nth < 2 ? seededRng('fault', id, nth).next() : 1;
    if (draw < 0.1) throw new ProviderError('THROTTLED', 'stub', { billed: 'no', httpStatus: 429 });
    if (draw < 0.15) throw new ProviderError('UNAVAILABLE', 'stub', { billed: 'no', httpStatus: 500 });
    if (draw < 0.2) throw new ProviderError('BAD_RESPONSE', 'stub', { billed: 'unknown' });
    if (draw < 0.22) throw new ProviderError('TIMEOUT', 'stub', { billed: 'unknown' });
    appendFileSync(order.bill, `${id}\n`);
    return { text: `answer to ${id}`, finish: 'stop', usage: { input: 600, output: 300 }, httpStatus: 200 };
  },
};

const door = new Door(runtime, { providerOf: async () => provider });
const output = await runBatch(
  door,
  { requests: order.requests, prefix: `jobs/${order.jobId}/work/0`, concurrency: 8 },
  {
    jobId: order.jobId,
    workflow: 'test-workflow',
    stage: 'work',
    runtime,
    registry: parseRegistry({
      models: [
        {
          name: 'm',
          provider: 'openai',
          endpoint: { url: 'http://127.0.0.1:9/v1' },
          contextTokens: 32_768,
          maxOutputTokens: 1000,
          billing: 'token',
          price: [{ from: '2020-01-01', inputPerMTok: 0.25, outputPerMTok: 2 }],
          limits: { rpm: 60_000_000, tpm: 60_000_000_000, concurrency: 8 },
        },
      ],
    }),
    roleOf: async () => undefined,
    rng: seededRng('child'),
  },
);
await door.close();
await embedded.close();
process.stdout.write(JSON.stringify(output));
