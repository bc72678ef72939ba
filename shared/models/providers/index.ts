import { canonicalJson } from '#shared/determinism/hash.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { ModelEntry, Provider } from '../types.ts';
import type { ProviderEnv } from './env.ts';
import { unsent } from './errors.ts';

export type { ProviderEnv } from './env.ts';

interface Made {
  identity: string;
  provider: Promise<Provider>;
}
const made = new WeakMap<Runtime, Map<string, Made>>();

/**
 * The provider of a model. One a model and runtime: its sockets and tokens are kept, and replaced when the model's
 * entry changes. Packages are loaded when a model first needs them.
 * @throws ProviderError BAD_REQUEST for `sagemaker-async`, which answers through `submitAsync` only.
 */
export async function providerFor(model: ModelEntry, env: ProviderEnv): Promise<Provider> {
  if (model.provider === 'builtin') return (await import('./builtin.ts')).builtinProvider(env);
  const known = made.get(env.runtime) ?? new Map<string, Made>();
  made.set(env.runtime, known);
  const identity = canonicalJson(model);
  const last = known.get(model.name);
  if (last?.identity === identity) return last.provider;
  const provider = make(model, env);
  known.set(model.name, { identity, provider });
  // A failed load is tried again next time.
  provider.catch(() => {
    if (known.get(model.name)?.provider === provider) known.delete(model.name);
  });
  void last?.provider.then((old) => old.close?.()).catch(() => undefined);
  return provider;
}

async function make(model: ModelEntry, env: ProviderEnv): Promise<Provider> {
  switch (model.provider) {
    case 'openai':
      return (await import('./openai.ts')).openaiProvider(model, env);
    case 'sagemaker':
      return (await import('./sagemaker.ts')).sagemakerProvider(model, env);
    case 'gguf':
      return (await import('./gguf.ts')).ggufProvider(model, env);
    case 'replay':
      return (await import('./replay.ts')).replayProvider(model, env);
    default:
      throw unsent(
        'BAD_REQUEST',
        `The model ${model.name} is asynchronous; it answers batch tasks, not single calls.`,
      );
  }
}

/** Closes every provider made for a runtime: sockets, loaded models. */
export async function closeProviders(runtime: Runtime): Promise<void> {
  const known = made.get(runtime);
  made.delete(runtime);
  await Promise.all(
    [...(known?.values() ?? [])].map(({ provider }) =>
      provider.then((one) => one.close?.()).catch(() => undefined),
    ),
  );
}
