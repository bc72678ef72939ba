import { join, resolve } from 'node:path';
import { catalog as allWorkflows } from '#functions/catalog.ts';
import { systemClock, type Clock } from '#shared/determinism/clock.ts';
import { randomIds, type Ids } from '#shared/determinism/ids.ts';
import { openEmbedded } from '#shared/storage/embedded/index.ts';
import type { Artifacts, Json } from '#shared/storage/ports.ts';
import type { BudgetInput } from '#shared/task/budgets.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { describeFindings } from '#shared/task/check-catalog.ts';
import { defect, isError, storageUnavailable } from '#shared/task/errors.ts';
import { jobControl } from '#shared/task/job-control.ts';
import { isTerminal, type Job } from '#shared/task/jobs.ts';
import { bindPlaceholders, placeholdersOf } from '#shared/task/placeholders.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { Gateway } from './gateway/index.ts';
import { createTaskHost, functionArn, taskFunctionName, type FunctionHost } from './host/index.ts';
import { catalogFindings } from '#functions/catalog-check.ts';
import { definitionOf, definitionText } from '#functions/definitions.ts';
import { announceEndings } from './platform/endings.ts';
import { serveApi } from './platform/http.ts';
import { removeOwner, writeOwner } from './platform/owner-file.ts';
import { TaskLog } from './platform/task-log.ts';
import { startTriggers } from './platform/triggers.ts';
import { createEngine, machineArn, type Engine } from './states/index.ts';

export { catalogFindings, definitionOf };
export { readOwner, type Owner } from './platform/owner-file.ts';
export { taskLogOf } from './platform/task-log.ts';

/** Every workflow there is. */
export const catalog: readonly WorkflowEntry[] = allWorkflows;

export interface PlatformOptions {
  /** Everything the platform keeps is below it. */
  dataDir: string;
  clock?: Clock;
  ids?: Ids;
  /** Settings tasks see, over the process's environment. */
  env?: Record<string, string | undefined>;
  /** Look only: executions do not move on, triggers do not fire. */
  paused?: boolean;
  /** Serve the HTTP API; port 0 chooses one. */
  listen?: { port: number; host?: string };
}

/** The whole platform in this process (DESIGN section 7). */
export interface Platform {
  readonly dataDir: string;
  readonly bucket: string;
  readonly catalog: readonly WorkflowEntry[];
  readonly runtime: Runtime;
  readonly engine: Engine;
  readonly host: FunctionHost;
  /** Where the API is served, and the token it asks for when bound off loopback. */
  readonly url: string | undefined;
  readonly token: string | undefined;
  /** Aborts, with the error as its reason, when executions cannot go on in this process, such as on a full disk. */
  readonly failed: AbortSignal;
  /** The folder in which objects with a key prefix are plain files. */
  folder(prefix: string): string;
  /** Starts a job and waits for its end. */
  run(workflow: string, input: Json, options?: RunOptions): Promise<Job>;
  /** Waits for the end of a job and of its execution: everything it writes is there. */
  settled(jobId: string): Promise<Job>;
  /** Stops taking steps, gives running calls `ms` to settle; everything can be resumed. */
  drain(ms: number): Promise<void>;
  close(): Promise<void>;
}

export interface RunOptions {
  budget?: BudgetInput;
  model?: string;
  idempotencyKey?: string;
  owner?: string;
}

/**
 * Opens the platform on a data directory and, unless `paused`, goes on with whatever a stopped or killed process left.
 * Ready in under a second.
 * @throws Defect listing every finding when catalog and definitions do not fit; StorageUnavailable when the directory
 *   cannot be opened, or another process owns its engine.
 */
export async function openPlatform(options: PlatformOptions): Promise<Platform> {
  const dataDir = resolve(options.dataDir);
  const clock = options.clock ?? systemClock;
  const ids = options.ids ?? randomIds;
  const log = { value: undefined as TaskLog | undefined };
  let served: Gateway | undefined;
  let closing = false;
  const complain = (error: unknown): void => {
    if (closing) return;
    const { name, message } = error as Error;
    log.value?.write(JSON.stringify({ level: 'error', message: 'platform', error: { name, message } }));
  };

  const storage = openEmbedded({
    dataDir,
    clock,
    ids,
    onError: complain,
    publicUrl: () => served?.url ?? '',
    queues: { starts: { maxReceiveCount: 5 }, results: { maxReceiveCount: 5 } },
  });
  log.value = new TaskLog(dataDir);
  const host = { value: undefined as FunctionHost | undefined };
  const engine = createEngine({
    store: join(dataDir, 'states.sqlite'),
    clock,
    artifactsOf: (bucket): Artifacts => storage.artifacts(bucket),
    records: storage.records,
    queueOf: (name) => storage.queue(name),
    invoke: (name, event, { context, ...invocation }) =>
      host.value!.invoke(name, event, { ...invocation, context: { ...context } }),
    onError: complain,
  });
  const endings = announceEndings(engine, storage.queue('starts'), complain);
  const runtime: Runtime = {
    kind: 'embedded',
    artifacts: storage.artifacts(),
    bucket: (name) => storage.artifacts(name),
    records: storage.records,
    queue: (name) => storage.queue(name),
    workflows: endings.workflows,
    clock,
    ids,
    env: { AGENTMILL_STAGE: 'local', ...process.env, ...options.env },
    writeLog: (line) => log.value!.write(line),
  };
  host.value = createTaskHost({ catalog: allWorkflows, runtime });
  const control = jobControl(runtime, allWorkflows);
  loadMachines(engine, storage.bucket);

  const folder = (prefix: string): string => join(dataDir, 'objects', storage.bucket, prefix);
  let triggers: { stop(): Promise<void> } | undefined;
  const close = async (): Promise<void> => {
    closing = true;
    await triggers?.stop();
    await served?.close();
    removeOwner(dataDir, process.pid);
    await engine.close();
    await host.value!.close();
    await storage.close();
    await log.value!.close();
  };
  try {
    if (!options.paused) {
      if (!(await engine.resume())) {
        throw storageUnavailable(`${dataDir} is in use by another agentmill process.`);
      }
      await endings.watchRunning(allWorkflows.map((entry) => entry.name));
      triggers = await startTriggers({ storage, runtime, catalog: allWorkflows, folder, onError: complain });
      await storage.start();
    }
    if (options.listen) {
      served = await serveApi({
        ...options.listen,
        runtime,
        dataDir,
        catalog: allWorkflows,
        onError: complain,
      });
      const { url, token } = served;
      const owner = { url, pid: process.pid, bucket: storage.bucket, ...(token ? { token } : {}) };
      if (!options.paused) writeOwner(dataDir, owner);
    }
  } catch (error) {
    await close();
    throw error;
  }

  const settled = async (jobId: string): Promise<Job> => {
    for (;;) {
      const stored = await control.store.require(jobId);
      if (isTerminal(stored.job.status)) {
        if (!options.paused) await over(stored.job);
        return stored.job;
      }
      await clock.sleep(20);
    }
  };
  /** A job's status is written before its marker and its last event: what its execution still does is waited for. */
  const over = async ({ executionId }: Job): Promise<void> => {
    if (executionId === undefined) return;
    await engine.wait(executionId).catch((error: unknown) => {
      // Ended so long ago that it is forgotten.
      if (!isError(error, 'NotFound')) throw error;
    });
  };
  return {
    dataDir,
    bucket: storage.bucket,
    catalog: allWorkflows,
    runtime,
    engine,
    host: host.value,
    url: served?.url,
    token: served?.token,
    failed: engine.failed,
    folder,
    async run(workflow, input, { owner = 'local', ...rest } = {}) {
      const { job } = await control.create({ workflow, input, owner, ...rest });
      return settled(job.jobId);
    },
    settled,
    async drain(ms) {
      closing = true;
      await triggers?.stop();
      await engine.close();
      await Promise.race([host.value!.close(), systemClock.sleep(ms)]);
    },
    close,
  };
}

/** Checks the catalog and makes its machines. */
function loadMachines(engine: Engine, bucketName: string): void {
  const findings = catalogFindings();
  if (findings.length > 0) throw defect(`The catalog does not fit:\n${describeFindings(findings)}`);
  for (const entry of allWorkflows) {
    const text = bindPlaceholders(
      definitionText(entry),
      placeholdersOf(entry, {
        functionArn: (task) => functionArn(taskFunctionName(entry.name, task)),
        bucketName,
        machineArn,
      }),
    );
    const made = engine.createMachine(entry.name, text);
    if (made.result === 'FAIL') {
      throw defect(
        `${entry.definition} is refused:\n${made.diagnostics.map((d) => `  ${d.location}: ${d.message}`).join('\n')}`,
      );
    }
  }
}
