import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { watchDropFolder } from '#local/platform/drop-folder.ts';
import type { Clock } from '#shared/determinism/clock.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

/** A clock that stands still until the watcher has looked, and then until the test lets it look again. */
function steppedClock() {
  let now = 0;
  let asleep = Promise.withResolvers<void>();
  let wake = (): void => {};
  const clock: Clock = {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        wake = () => {
          now += ms;
          resolve();
        };
        asleep.resolve();
      }),
  };
  /** Lets so much time pass; the last look is over when it returns. */
  const pass = async (ms: number): Promise<void> => {
    await asleep.promise;
    for (const end = now + ms; now < end; await asleep.promise) {
      asleep = Promise.withResolvers<void>();
      wake();
    }
  };
  return { clock, pass };
}

describe('files that people copy into ingest/', () => {
  let host: TestRuntime;
  let folder: string;
  let announced: string[];
  let pass: (ms: number) => Promise<void>;
  let watch: { stop(): Promise<void> };
  beforeEach(async () => {
    host = await embeddedRuntime();
    const { artifacts, records } = host.runtime;
    folder = join(host.dir, 'objects', artifacts.bucket, 'ingest', 'sample');
    await mkdir(folder, { recursive: true });
    announced = [];
    const starts = {
      send: (messages: { body: string }[]) => {
        for (const { body } of messages) {
          const { detail } = JSON.parse(body) as { detail: { object: { key: string; size: number } } };
          announced.push(`${detail.object.key} ${detail.object.size}`);
        }
        return Promise.resolve({ sent: [], failed: [] });
      },
    };
    const stepped = steppedClock();
    pass = stepped.pass;
    const onError = (error: unknown): never => {
      throw error;
    };
    watch = watchDropFolder({ artifacts, records, starts: starts as never, clock: stepped.clock, onError });
  });
  afterEach(async () => {
    await watch.stop();
    await host.close();
  });

  test('are announced once, when they have not changed for two seconds', async () => {
    await writeFile(join(folder, 'a.jsonl'), 'one\n');
    await pass(1500);
    expect(announced).toEqual([]);
    // Its writer had only paused.
    await appendFile(join(folder, 'a.jsonl'), 'two\n');
    await pass(2000);
    expect(announced).toEqual([]);
    await pass(1000);
    expect(announced).toEqual(['ingest/sample/a.jsonl 8']);
    await pass(5000);
    expect(announced).toHaveLength(1);
  });

  test('are not taken for empty because their writer has just begun', async () => {
    await writeFile(join(folder, 'slow.jsonl'), '');
    await pass(5000);
    expect(announced).toEqual([]);
    await writeFile(join(folder, 'slow.jsonl'), 'content');
    await pass(3000);
    expect(announced).toEqual(['ingest/sample/slow.jsonl 7']);
  });

  test('that stay empty are announced all the same: nothing is passed over in silence', async () => {
    await writeFile(join(folder, 'empty.jsonl'), '');
    await pass(11_000);
    expect(announced).toEqual(['ingest/sample/empty.jsonl 0']);
  });
});
