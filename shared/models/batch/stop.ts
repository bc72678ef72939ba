import { AgentmillError, cancelled, deadlineExceeded } from '#shared/task/errors.ts';
import { jobPk, META, readJob } from '#shared/task/job-records.ts';
import type { Runtime } from '#shared/task/runtime.ts';

const POLL_MS = 2000;
/** How long running calls may go on after somebody asked for a stop. */
const GRACE_MS = 10_000;

/** Watches for reasons to stop a batch; `signal` ends calls that outlast the grace. */
export interface StopWatch {
  signal: AbortSignal;
  dispose(): void;
}

/**
 * Looks for the job's cancel flag every 2 s and listens to the host. On either, `onStop` is called at once and the
 * calls still running 10 s later are aborted.
 */
export function watchForStop(
  runtime: Runtime,
  jobId: string,
  host: AbortSignal | undefined,
  onStop: (reason: Error) => void,
): StopWatch {
  const calls = new AbortController();
  const over = new AbortController();
  let stopping = false;
  const stop = (reason: Error): void => {
    if (stopping) return;
    stopping = true;
    onStop(reason);
    runtime.clock.sleep(GRACE_MS, over.signal).then(
      () => calls.abort(reason),
      () => undefined,
    );
  };
  const hostStops = (): void => {
    const reason: unknown = host?.reason;
    stop(reason instanceof AgentmillError ? reason : deadlineExceeded('The task was stopped by its host.'));
  };
  if (host?.aborted) hostStops();
  else host?.addEventListener('abort', hostStops, { once: true });

  const poll = async (): Promise<void> => {
    for (;;) {
      await runtime.clock.sleep(POLL_MS, over.signal);
      const item = await runtime.records.get({ pk: jobPk(jobId), sk: META }).catch(() => undefined);
      if (item && readJob(item).cancelRequestedAt !== undefined) {
        stop(cancelled(`The job ${jobId} was asked to stop.`));
        return;
      }
    }
  };
  // Ends when the watch is disposed of.
  poll().catch(() => undefined);

  return {
    signal: calls.signal,
    dispose() {
      over.abort();
      host?.removeEventListener('abort', hostStops);
    },
  };
}
