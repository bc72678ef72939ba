import type { Logger } from '#shared/task/context.ts';
import { createLogger, createMetrics } from '#shared/task/logger.ts';
import type { Runtime } from '#shared/task/runtime.ts';

/** The log of a trigger's run, and how its metrics are written when the run ends. */
export interface TriggerLog {
  log: Logger;
  metrics: ReturnType<typeof createMetrics>;
  writeMetrics(): void;
}

/** Triggers stand before every workflow: their lines and metrics carry the stage and their own name only. */
export function triggerLog(runtime: Runtime, task: string): TriggerLog {
  const { clock, env, kind } = runtime;
  const metrics = createMetrics();
  const stage = env.AGENTMILL_STAGE ?? kind;
  const log = createLogger({
    clock,
    write: (line) => runtime.writeLog(line),
    metrics,
    level: env.AGENTMILL_LOG_LEVEL,
    bound: { stage, task },
  });
  return {
    log,
    metrics,
    writeMetrics() {
      const line = metrics.take(clock.now(), { stage, workflow: 'entry', task }, {});
      if (line !== undefined) runtime.writeLog(line);
    },
  };
}
