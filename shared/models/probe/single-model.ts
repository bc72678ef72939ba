import type { Runtime } from '#shared/task/runtime.ts';
import { loadRegistry } from '../registry.ts';
import type { ModelEntry } from '../types.ts';
import { notProbed, unknownModel, type Report } from './report.ts';

/** A model that single requests can reach, or the answer that says why there is none. */
export async function singleModel(
  runtime: Runtime,
  name: string,
  verb: 'probed' | 'tested',
): Promise<{ model: ModelEntry } | { refusal: Report<{ model: string; error: string }> }> {
  const { models } = await loadRegistry(runtime);
  const model = models.get(name);
  if (!model) return { refusal: unknownModel(name, models.keys()) };
  if (!model.enabled) return { refusal: notProbed(name, `The model ${name} is disabled.`) };
  if (model.provider === 'sagemaker-async') {
    const error = `The model ${name} is asynchronous: it answers batches only and cannot be ${verb}.`;
    return { refusal: notProbed(name, error) };
  }
  return { model };
}
