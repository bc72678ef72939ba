import { mkdirSync } from 'node:fs';
import { systemClock } from '#shared/determinism/clock.ts';
import type { Embedded } from '#shared/storage/embedded/index.ts';
import type { ObjectCreated, Queue } from '#shared/storage/ports.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { withRuntime, type Runtime } from '#shared/task/runtime.ts';
import { consume, type BatchHandler } from './consumers.ts';
import { objectCreatedEvent, watchDropFolder } from './drop-folder.ts';

const MINUTE_MS = 60_000;

export interface TriggerOptions {
  storage: Embedded;
  runtime: Runtime;
  catalog: readonly WorkflowEntry[];
  /** Where objects with a key prefix are plain files. */
  folder(prefix: string): string;
  onError(error: unknown): void;
}

/**
 * What EventBridge, SQS event sources and schedules do on AWS: object events and messages reach the same handlers,
 * the sweepers run by the clock. Call it before the storage delivers events.
 */
export async function startTriggers(options: TriggerOptions): Promise<{ stop(): Promise<void> }> {
  const { storage, runtime, onError } = options;
  const [start, sweep, onResult, asyncSweep] = await Promise.all([
    import('#functions/triggers/start.ts'),
    import('#functions/triggers/sweep.ts'),
    import('#functions/inference/on-result.ts'),
    import('#functions/inference/sweep.ts'),
  ]);
  const starts = storage.queue('starts');
  const results = storage.queue('results');

  const queueFor = (event: ObjectCreated): Queue | undefined => {
    if (event.bucket !== storage.bucket) return undefined;
    if (event.key.startsWith('ingest/')) return starts;
    return /^async\/(out|fail)\//.test(event.key) ? results : undefined;
  };
  const stopListening = storage.onCreated(async (event) => {
    await queueFor(event)?.send([{ body: JSON.stringify(objectCreatedEvent(event)) }]);
  });

  // The folders are there for people to drop files into.
  for (const { triggers } of options.catalog) {
    if (triggers.s3) mkdirSync(options.folder(triggers.s3.prefix), { recursive: true });
  }
  const dropped = watchDropFolder({
    artifacts: storage.artifacts(),
    records: storage.records,
    starts,
    clock: systemClock,
    onError,
  });

  const batch =
    (handler: (event: never) => Promise<unknown>): BatchHandler =>
    (event) =>
      withRuntime(runtime, () => handler(event as never)) as ReturnType<BatchHandler>;
  const consumers = [
    consume(starts, batch(start.handler), { onError }),
    consume(results, batch(onResult.handler), { onError }),
  ];
  const every = (ms: number, handler: (event: never) => Promise<unknown>): NodeJS.Timeout => {
    const run = (): void => void withRuntime(runtime, () => handler({} as never)).catch(onError);
    return setInterval(run, ms).unref();
  };
  const timers = [every(15 * MINUTE_MS, sweep.handler), every(MINUTE_MS, asyncSweep.handler)];

  return {
    async stop() {
      stopListening();
      timers.forEach(clearInterval);
      await dropped.stop();
      await Promise.all(consumers.map((consumer) => consumer.stop()));
    },
  };
}
