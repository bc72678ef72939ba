import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '#shared/determinism/clock.ts';
import type { Ids } from '#shared/determinism/ids.ts';
import type { Artifacts, Queue, Records, Workflows } from '#shared/storage/ports.ts';

/** The ports and settings a handler works with: made from the environment on AWS, by the task host when embedded. */
export interface Runtime {
  /** Named in manifests and logs. */
  readonly kind: 'aws' | 'embedded';
  /** The platform's artifacts bucket. */
  readonly artifacts: Artifacts;
  /** Any other bucket by name. */
  bucket(name: string): Artifacts;
  readonly records: Records;
  queue(name: string): Queue;
  readonly workflows: Workflows;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Settings by name, as environment variables on AWS: `AGENTMILL_STAGE`, `AGENTMILL_MODELS` ... */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where structured log lines go (one JSON text a line, no newline). */
  writeLog(line: string): void;
}

const scope = new AsyncLocalStorage<Runtime>();

/** Runs `body` with its ports: how the task host gives handlers the embedded adapters. */
export function withRuntime<T>(runtime: Runtime, body: () => T): T {
  return scope.run(runtime, body);
}

let fromEnvironment: Promise<Runtime> | undefined;

/** The ports of the current invocation: the task host's, else the AWS adapters bound by environment variables. */
export async function currentRuntime(): Promise<Runtime> {
  const scoped = scope.getStore();
  if (scoped) return scoped;
  // Loaded lazily: SDK clients are most of a cold start, and the embedded platform never needs them.
  fromEnvironment ??= import('#shared/storage/aws/runtime.ts').then((module) =>
    module.awsRuntime(process.env),
  );
  return fromEnvironment;
}
