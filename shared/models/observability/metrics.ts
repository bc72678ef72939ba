import type { Runtime } from '#shared/task/runtime.ts';

const NAMESPACE = 'Agentmill/Inference';

const UNITS: Record<string, 'Milliseconds' | 'Count'> = {
  LatencyMs: 'Milliseconds',
  FirstTokenMs: 'Milliseconds',
  QueueMs: 'Milliseconds',
};

/** Values of which only the latest means something; of the others, counts are summed and times listed. */
const GAUGES = new Set(['Concurrency', 'BudgetRemaining']);
/** Values of which the largest counts: an alarm must see what has passed before the flush. */
const PEAKS = new Set(['BreakerOpen']);
/** Values CloudWatch takes of one metric in one line. */
const MAX_VALUES = 100;

export type MetricName =
  | 'Calls'
  | 'CacheHits'
  | 'Errors'
  | 'Throttles'
  | 'Retries'
  | 'Repairs'
  | 'Rejects'
  | 'TokensIn'
  | 'TokensOut'
  | 'CostMicros'
  | 'LatencyMs'
  | 'FirstTokenMs'
  | 'QueueMs'
  | 'Concurrency'
  | 'BreakerOpen'
  | 'BudgetRemaining'
  | 'LedgerMismatch'
  | 'AsyncSwept';

interface Subject {
  workflow: string;
  model: string;
  provider: string;
}

type Values = Map<string, number[]>;

function addTo(all: Values, name: MetricName, value: number): void {
  const values = all.get(name);
  if (!values) all.set(name, [value]);
  else if (GAUGES.has(name)) values[0] = value;
  else if (PEAKS.has(name)) values[0] = Math.max(values[0]!, value);
  else if (UNITS[name]) {
    // A sample of a long run: enough for percentiles, bounded in size.
    if (values.length < MAX_VALUES) values.push(value);
  } else values[0]! += value;
}

/**
 * Metrics of model calls in CloudWatch's embedded format, gathered by workflow, model and provider and written a line
 * a subject when flushed (model-inference section 12). Job ids are properties, never dimensions.
 */
export class InferenceMetrics {
  readonly #subjects = new Map<string, { subject: Subject; values: Values }>();

  add(subject: Subject, name: MetricName, value = 1): void {
    addTo(this.#valuesOf(subject), name, value);
  }

  /** Adds several at once; those without a value are left out. */
  addAll(subject: Subject, added: Partial<Record<MetricName, number | undefined>>): void {
    const values = this.#valuesOf(subject);
    for (const name in added) {
      const value = added[name as MetricName];
      if (value !== undefined) addTo(values, name as MetricName, value);
    }
  }

  #valuesOf(subject: Subject): Values {
    const id = `${subject.workflow} ${subject.model} ${subject.provider}`;
    let known = this.#subjects.get(id);
    if (!known) {
      known = { subject, values: new Map() };
      this.#subjects.set(id, known);
    }
    return known.values;
  }

  /** Writes what was gathered and starts afresh. */
  flush(runtime: Pick<Runtime, 'clock' | 'writeLog'>, properties: Record<string, unknown> = {}): void {
    for (const { subject, values } of this.#subjects.values()) {
      const names = [...values.keys()];
      runtime.writeLog(
        JSON.stringify({
          _aws: {
            Timestamp: runtime.clock.now(),
            CloudWatchMetrics: [
              {
                Namespace: NAMESPACE,
                Dimensions: [
                  ['workflow', 'model'],
                  ['model', 'provider'],
                ],
                Metrics: names.map((Name) => ({ Name, Unit: UNITS[Name] ?? 'Count' })),
              },
            ],
          },
          ...properties,
          ...subject,
          ...Object.fromEntries(
            [...values].map(([name, list]) => [name, list.length === 1 ? list[0] : list]),
          ),
        }),
      );
    }
    this.#subjects.clear();
  }
}

/** One LedgerMismatch, with what was counted and what the ledger says. */
export function emitMismatch(
  runtime: Pick<Runtime, 'clock' | 'writeLog'>,
  jobId: string,
  facts: { counted: unknown; ledger: unknown },
): void {
  const metrics = new InferenceMetrics();
  metrics.add({ workflow: jobId.split('.')[0]!, model: 'all', provider: 'all' }, 'LedgerMismatch');
  metrics.flush(runtime, { jobId, ...facts });
}
