import type { Runtime } from '#shared/task/runtime.ts';
import { Breaker } from '../breaker/breaker.ts';
import { loadRegistry, priceAt, priceVersionOf } from '../registry.ts';
import type { ModelEntry } from '../types.ts';
import type { Report } from './report.ts';
import { table } from './report.ts';
import { spendToday } from './spend.ts';

/** One model as `models list` shows it. */
export interface ModelRow {
  name: string;
  provider: ModelEntry['provider'];
  enabled: boolean;
  /** `<model>@<from>` of the price that holds now; null before the first. */
  billing: ModelEntry['billing'];
  priceVersion: string | null;
  limits: ModelEntry['limits'];
  /** The features it is registered with. */
  features: string[];
  breaker: 'closed' | 'open';
  /** Micro-dollars since midnight UTC. */
  spentTodayMicros: number;
}

/** Every model of the registry (model-inference section 13). @throws InvalidInput when the registry is faulty. */
export async function listModels(runtime: Runtime): Promise<Report<{ models: ModelRow[] }>> {
  const { models } = await loadRegistry(runtime);
  const spent = await spendToday(runtime);
  const rows: ModelRow[] = [];
  for (const model of models.values()) {
    rows.push({
      name: model.name,
      provider: model.provider,
      enabled: model.enabled,
      billing: model.billing,
      priceVersion: priceVersionAt(model, runtime.clock.now()),
      limits: model.limits,
      features: Object.entries(model.features).flatMap(([name, has]) => (has ? [name] : [])),
      breaker: (await new Breaker(runtime, model.name).closed()) ? 'closed' : 'open',
      spentTodayMicros: spent.get(model.name) ?? 0,
    });
  }
  const text = table(
    ['name', 'provider', 'enabled', 'price', 'rpm/tpm/concurrency', 'features', 'breaker', 'spent today'],
    rows.map((row) => [
      row.name,
      row.provider,
      row.enabled ? 'yes' : 'no',
      row.billing === 'free' ? 'free' : (row.priceVersion ?? 'none yet'),
      `${row.limits.rpm}/${row.limits.tpm}/${row.limits.concurrency}`,
      row.features.join(' ') || '-',
      row.breaker,
      `$${(row.spentTodayMicros / 1e6).toFixed(6)}`,
    ]),
  );
  return { text, exitCode: 0, data: { models: rows } };
}

function priceVersionAt(model: ModelEntry, now: number): string | null {
  try {
    return priceVersionOf(model, priceAt(model, now));
  } catch {
    return null;
  }
}
