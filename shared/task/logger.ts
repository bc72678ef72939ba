import { isoTime, type Clock } from '#shared/determinism/clock.ts';
import type { Logger } from './context.ts';
import { redact } from './redact.ts';

/** Structured logs and metrics (infra-api-cli section 9): one JSON text a line, metrics in CloudWatch's embedded format. */

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
type Level = (typeof LEVELS)[number];

export const METRIC_NAMESPACE = 'Agentmill';

type Unit = 'Count' | 'Milliseconds' | 'Bytes';

/** What one invocation measured; written as one line when it ends. */
export interface Metrics {
  add(name: string, value: number, unit?: Unit): void;
  /** The line in embedded metric format, or undefined when nothing was measured. Starts afresh afterwards. */
  take(
    now: number,
    dimensions: Record<string, string>,
    properties: Record<string, unknown>,
  ): string | undefined;
}

export function createMetrics(): Metrics {
  const sums = new Map<string, { value: number; unit: Unit }>();
  return {
    add(name, value, unit = 'Count') {
      const sum = sums.get(name);
      if (sum) sum.value += value;
      else sums.set(name, { value, unit });
    },
    take(now, dimensions, properties) {
      if (sums.size === 0) return undefined;
      const metrics = [...sums].map(([Name, { unit }]) => ({ Name, Unit: unit }));
      const values = Object.fromEntries([...sums].map(([name, { value }]) => [name, value]));
      sums.clear();
      return JSON.stringify({
        _aws: {
          Timestamp: now,
          CloudWatchMetrics: [
            { Namespace: METRIC_NAMESPACE, Dimensions: [Object.keys(dimensions)], Metrics: metrics },
          ],
        },
        ...(redact(properties) as object),
        ...dimensions,
        ...values,
      });
    },
  };
}

export interface LoggerOptions {
  clock: Clock;
  write(line: string): void;
  metrics: Metrics;
  /** The least level that is written; `info` when absent or unknown. */
  level?: string | undefined;
  /** Fields of every line. */
  bound?: Record<string, unknown>;
}

/** A logger that writes JSON lines with redacted data. Never give it document text above `debug`. */
export function createLogger(options: LoggerOptions): Logger {
  const { clock, write, metrics, bound = {} } = options;
  const least = Math.max(0, LEVELS.indexOf((options.level?.toLowerCase() ?? 'info') as Level));
  const threshold = LEVELS.includes(options.level?.toLowerCase() as Level) ? least : LEVELS.indexOf('info');
  const log =
    (level: Level) =>
    (message: string, data?: Record<string, unknown>): void => {
      if (LEVELS.indexOf(level) < threshold) return;
      const line = { time: isoTime(clock.now()), level, message, ...bound, ...data };
      write(JSON.stringify(redact(line)));
    };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    with: (data) => createLogger({ ...options, bound: { ...bound, ...data } }),
    metric: (name, value, unit) => metrics.add(name, value, unit),
  };
}
