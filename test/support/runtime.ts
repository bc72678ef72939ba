import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, type Clock } from '#shared/determinism/clock.ts';
import { randomIds, type Ids } from '#shared/determinism/ids.ts';
import { openEmbedded, type Embedded } from '#shared/storage/embedded/index.ts';
import type { Workflows } from '#shared/storage/ports.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { memoryWorkflows, type MemoryWorkflows } from './workflows.ts';

/** The embedded platform's storage in a temporary directory, for tests of what runs on it. */

export interface TestRuntimeOptions {
  clock?: Clock;
  ids?: Ids;
  /** Default: executions that start and then wait for the test to end them. */
  workflows?: Workflows;
  env?: Record<string, string | undefined>;
  kind?: Runtime['kind'];
  /** Use this directory, and leave it; default: a fresh one, removed by `close`. */
  dir?: string;
}

export interface TestRuntime {
  runtime: Runtime;
  dir: string;
  embedded: Embedded;
  /** The default workflows port; absent members when a test gave its own. */
  workflows: MemoryWorkflows;
  /** Log lines so far, parsed. */
  logs: Record<string, unknown>[];
  close(): Promise<void>;
}

/** Opens it. Always `close()` it, in `afterEach` or `finally`. */
export async function embeddedRuntime(options: TestRuntimeOptions = {}): Promise<TestRuntime> {
  const { clock = systemClock, ids = randomIds } = options;
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'agentmill-test-')));
  const embedded = openEmbedded({ dataDir: dir, clock, ids });
  const memory = memoryWorkflows(clock);
  const logs: Record<string, unknown>[] = [];
  const runtime: Runtime = {
    kind: options.kind ?? 'embedded',
    artifacts: embedded.artifacts(),
    bucket: (name) => embedded.artifacts(name),
    records: embedded.records,
    queue: (name) => embedded.queue(name),
    workflows: options.workflows ?? memory,
    clock,
    ids,
    env: { AGENTMILL_STAGE: 'test', ...options.env },
    writeLog: (line) => logs.push(JSON.parse(line) as Record<string, unknown>),
  };
  return {
    runtime,
    dir,
    embedded,
    workflows: memory,
    logs,
    async close() {
      await embedded.close();
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A clock that tests move by hand; sleepers wake when it passes them. */
export function manualClock(
  start = Date.parse('2026-01-01T00:00:00Z'),
): Clock & { advance(ms: number): void } {
  let now = start;
  const sleepers = new Set<{ due: number; wake: () => void }>();
  return {
    now: () => now,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        const sleeper = { due: now + ms, wake: resolve };
        if (signal?.aborted) return reject(signal.reason as Error);
        signal?.addEventListener(
          'abort',
          () => {
            sleepers.delete(sleeper);
            reject(signal.reason as Error);
          },
          { once: true },
        );
        sleepers.add(sleeper);
      });
    },
    advance(ms) {
      now += ms;
      for (const sleeper of sleepers) {
        if (sleeper.due <= now) {
          sleepers.delete(sleeper);
          sleeper.wake();
        }
      }
    },
  };
}
