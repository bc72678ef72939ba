import { seededRng } from '#shared/determinism/rng.ts';
import { runBatch } from '#shared/models/batch/run.ts';
import { doorOf } from '#shared/models/door/doors.ts';
import { closeDoor } from '#shared/models/door.ts';
import { closeProviders } from '#shared/models/providers/index.ts';
import { parseRegistry } from '#shared/models/registry.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { openFastWorld } from '#test/support/fast-world.ts';

/** Runs a batch against an OpenAI-compatible server, and can be killed at any time. */
export interface Order {
  dataDir: string;
  jobId: string;
  requests: ArtifactRef;
  /** The server's base URL. */
  url: string;
  /** When this world's time began. */
  epoch: number;
  /** How much faster it runs, so that back-off, breaker and lapsed leases take their course within the test. */
  speed: number;
  /** Real milliseconds before a hanging call is given up. */
  timeoutMs: number;
  concurrency: number;
}
const order = JSON.parse(process.argv[2]!) as Order;

const { embedded, runtime } = openFastWorld(order);

const output = await runBatch(
  doorOf(runtime),
  { requests: order.requests, prefix: `jobs/${order.jobId}/work/0`, concurrency: order.concurrency },
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
          endpoint: { url: order.url },
          contextTokens: 32_768,
          maxOutputTokens: 1000,
          billing: 'token',
          price: [{ from: '2020-01-01', inputPerMTok: 0.25, outputPerMTok: 2 }],
          limits: { rpm: 60_000_000, tpm: 60_000_000_000, concurrency: order.concurrency },
          timeoutMs: order.timeoutMs,
        },
      ],
    }),
    roleOf: async () => undefined,
    rng: seededRng('child'),
  },
);
await closeDoor(runtime);
await closeProviders(runtime);
await embedded.close();
process.stdout.write(JSON.stringify(output));
