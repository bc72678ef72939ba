import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, systemClock } from '#shared/determinism/clock.ts';
import { type Ids, randomIds } from '#shared/determinism/ids.ts';
import { isError } from '#shared/task/errors.ts';
import type { Artifacts, ObjectCreated, Queue, Records } from '../ports.ts';
import { EmbeddedArtifacts, type ObjectStore } from './artifacts.ts';
import { Database, type Fsync } from './database.ts';
import { ObjectFiles } from './object-files.ts';
import { ObjectIndex } from './object-index.ts';
import { type CreatedListener, isAlive, Outbox } from './outbox.ts';
import { presignSecret } from './presign.ts';
import { EmbeddedQueue, QueueSignals, type QueueSettings, sweepMessages } from './queue.ts';
import { EmbeddedRecords } from './records.ts';

export { acquireEngineLock } from './lock.ts';
export { presignSecret, verifyPresigned, type PresignedGrant } from './presign.ts';
export type { Fsync } from './database.ts';
export type { QueueSettings } from './queue.ts';

export const DEFAULT_BUCKET = 'agentmill-local';

export interface EmbeddedOptions {
  /** Holds `objects/`, `store.sqlite` and `states.sqlite`; made where it is missing. */
  dataDir: string;
  /** Serves time to live, visibility and time stamps. */
  clock?: Clock;
  ids?: Ids;
  /** Default `AGENTMILL_FSYNC`, else `normal`. */
  fsync?: Fsync;
  /** The platform's bucket, given by `artifacts()`. Default `agentmill-local`. */
  bucket?: string;
  queues?: Record<string, QueueSettings>;
  /** Put before presigned paths; a function where the port is known later. Default: paths only. */
  publicUrl?: string | (() => string);
  /** Told of listeners that failed (the event is delivered again, up to 20 times). */
  onError?: (error: unknown, event: ObjectCreated) => void;
}

/** The embedded artifacts, records and queues of one data directory. */
export interface Embedded {
  readonly dataDir: string;
  readonly bucket: string;
  artifacts(bucket?: string): Artifacts;
  readonly records: Records;
  queue(name: string): Queue;
  /** Calls back for every object stored, by any process, once `start` was called. Returns how to stop listening. */
  onCreated(listener: CreatedListener): () => void;
  /** Settles what a killed process left, then delivers events and sweeps every 30 s. Register listeners first. */
  start(): Promise<void>;
  close(): Promise<void>;
}

const SWEEP_MS = 30_000;

/**
 * Opens a data directory (embedded-platform section 8). Any number of processes may do so at once.
 * @throws StorageUnavailable when its database cannot be opened.
 */
export function openEmbedded(options: EmbeddedOptions): Embedded {
  const { clock = systemClock, ids = randomIds, bucket = DEFAULT_BUCKET, publicUrl = '' } = options;
  const fsync: Fsync = options.fsync ?? (process.env['AGENTMILL_FSYNC'] === 'full' ? 'full' : 'normal');
  mkdirSync(options.dataDir, { recursive: true });
  const dataDir = realpathSync.native(options.dataDir);

  const db = new Database(join(dataDir, 'store.sqlite'), fsync);
  const files = new ObjectFiles(dataDir, fsync);
  const index = new ObjectIndex(db, files);
  const outbox = new Outbox(db, options.onError ?? (() => {}));
  const records = new EmbeddedRecords(db, clock);
  const signals = new QueueSignals();
  let secret: Uint8Array | undefined;
  const store: ObjectStore = {
    db,
    clock,
    files,
    index,
    outbox,
    secret: () => (secret ??= presignSecret(dataDir)),
    publicUrl: () => (typeof publicUrl === 'function' ? publicUrl() : publicUrl),
  };
  const buckets = new Map<string, Artifacts>();
  const queues = new Map<string, Queue>();
  let sweeper: NodeJS.Timeout | undefined;

  const etagNow = (of: string, key: string): string | undefined => {
    try {
      return index.look(of, key).etag;
    } catch (error) {
      if (isError(error)) return undefined;
      throw error;
    }
  };
  const sweep = (): void => {
    files.sweepTemp(isAlive);
    outbox.settle(etagNow);
    records.sweep();
    sweepMessages(db, clock.now());
  };

  return {
    dataDir,
    bucket,
    records,
    artifacts(name = bucket) {
      const known = buckets.get(name) ?? new EmbeddedArtifacts(name, store);
      buckets.set(name, known);
      return known;
    },
    queue(name) {
      const known =
        queues.get(name) ?? new EmbeddedQueue(name, { db, clock, ids, signals }, options.queues?.[name]);
      queues.set(name, known);
      return known;
    },
    onCreated: (listener) => outbox.listen(listener),
    async start() {
      if (sweeper) return;
      sweep();
      sweeper = setInterval(sweep, SWEEP_MS);
      sweeper.unref();
      outbox.start();
    },
    async close() {
      clearInterval(sweeper);
      signals.wakeAll();
      await outbox.stop();
      db.close();
    },
  };
}
