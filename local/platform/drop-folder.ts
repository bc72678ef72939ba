import { isoTime, type Clock } from '#shared/determinism/clock.ts';
import type { Artifacts, Json, ObjectCreated, Queue, Records } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';

/** The notification that EventBridge sends for an object on AWS. */
export const objectCreatedEvent = (event: ObjectCreated): Json => ({
  source: 'aws.s3',
  'detail-type': 'Object Created',
  time: isoTime(event.time),
  detail: {
    bucket: { name: event.bucket },
    object: { key: event.key, size: event.bytes, etag: event.etag },
  },
});

const SCAN_MS = 500;
/** Objects of S3 appear whole, files grow: one counts as whole once it has not changed for so long. */
const SETTLED_MS = 2_000;
/** An empty file is most likely one whose writer has just begun. */
const EMPTY_MS = 10_000;
const PREFIX = 'ingest/';

/**
 * Announces files that people copy straight into the `ingest/` folder: no port wrote them, so no event did. A file is
 * announced once it has not changed for two seconds, and once only (a record remembers its etag). Files the port wrote
 * are announced twice by this, which starts nothing twice: the job's id is made from the object.
 */
export function watchDropFolder(options: {
  artifacts: Artifacts;
  records: Records;
  starts: Queue;
  clock: Clock;
  onError(error: unknown): void;
}): { stop(): Promise<void> } {
  const { artifacts, records, starts, clock, onError } = options;
  const stopping = new AbortController();
  const announced = new Map<string, string>();
  /** Size and time of what is new, and since when it has been so. */
  let unsettled = new Map<string, { state: string; since: number }>();

  const announce = async (object: ObjectCreated): Promise<void> => {
    const key = { pk: `DROPPED#${object.bucket}`, sk: object.key };
    const known = await records.get(key);
    if (known?.attributes.etag !== object.etag) {
      await starts.send([{ body: JSON.stringify(objectCreatedEvent(object)) }]);
      await records.put({ ...key, attributes: { etag: object.etag } });
    }
    announced.set(object.key, `${object.bytes} ${object.time}`);
  };

  const scan = async (): Promise<void> => {
    const seen: typeof unsettled = new Map();
    const now = clock.now();
    let after: string | undefined;
    do {
      const page = await artifacts.list({ prefix: PREFIX, ...(after === undefined ? {} : { after }) });
      for (const { key, bytes, modified, etag } of page.objects) {
        const state = `${bytes} ${modified}`;
        if (announced.get(key) === state) continue;
        const before = unsettled.get(key);
        const since = before?.state === state ? before.since : now;
        if (now - since >= (bytes === 0 ? EMPTY_MS : SETTLED_MS)) {
          await announce({ bucket: artifacts.bucket, key, bytes, etag, time: modified });
        } else seen.set(key, { state, since });
      }
      after = page.next;
    } while (after !== undefined);
    unsettled = seen;
  };

  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await scan().catch((error: unknown) => {
        // A file may vanish or change while it is read; the next scan sees what is left.
        if (!isError(error, 'NotFound')) onError(error);
      });
      await clock.sleep(SCAN_MS, stopping.signal).catch(() => {});
    }
  };
  const done = loop();
  return {
    async stop() {
      stopping.abort();
      await done;
    },
  };
}
