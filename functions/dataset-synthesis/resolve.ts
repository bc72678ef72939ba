import type { Registry } from '#shared/models/types.ts';
import { invalidInput, isError, type FieldProblem } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { configHashOf, modelsOf, type SynthesisConfig } from './config.ts';
import { benchmarkFile } from './curation/benchmarks.ts';
import { ROLE_KEYS, type RoleKey, type SynthesisInput } from './records.ts';
import { checkRole, fewShotHash, filterRole, generateRole, identifyRole, lexiconHash } from './roles.ts';

const ROLES = { filter: filterRole, identify: identifyRole, generate: generateRole, check: checkRole };

/**
 * Makes a job's config from its input: models resolved and known, benchmarks there and hashed.
 * @throws InvalidInput naming every unknown model and missing benchmark by its field.
 */
export async function resolveConfig(request: {
  jobId: string;
  input: SynthesisInput;
  /** The envelope's model. */
  model: string | undefined;
  registry: Registry;
  runtime: Runtime;
}): Promise<SynthesisConfig> {
  const { jobId, input, model, registry, runtime } = request;
  const problems: FieldProblem[] = [];
  const models = modelsOf(input, model);
  for (const role of ROLE_KEYS) {
    if (isKnown(registry, models[role])) continue;
    const pointer = input.models[role] === undefined ? '/model' : `/models/${role}`;
    const names = [...registry.models.keys(), ...registry.routes.keys()].join(', ');
    const detail = `There is no model ${models[role]} for ${role}; the registry has ${names}.`;
    if (!problems.some((known) => known.pointer === pointer))
      problems.push({ pointer, code: 'unknown_model', detail });
  }
  const benchmarks: SynthesisConfig['benchmarks'] = [];
  for (const [index, benchmark] of input.benchmarks.entries()) {
    try {
      benchmarks.push(await benchmarkFile(benchmark, index, runtime));
    } catch (error) {
      if (!isError(error, 'InvalidInput')) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw invalidInput(problems.map(({ detail }) => detail).join(' '), { problems });

  const each = <T>(value: (role: RoleKey) => T): Record<RoleKey, T> =>
    Object.fromEntries(ROLE_KEYS.map((role) => [role, value(role)])) as Record<RoleKey, T>;
  const config = {
    input,
    models,
    builtin: each((role) => registry.models.get(models[role])?.provider === 'builtin'),
    roles: each((role) => ROLES[role].version),
    fewShotHash,
    lexiconHash,
    benchmarks,
  };
  const contextTokens: SynthesisConfig['contextTokens'] = {};
  for (const role of ROLE_KEYS) {
    const tokens = contextOf(registry, models[role]);
    if (tokens !== undefined) contextTokens[role] = tokens;
  }
  return { jobId, ...config, contextTokens, configHash: configHashOf(config) };
}

/** The context of a model, of a route its largest; undefined where an algorithm answers. */
function contextOf(registry: Registry, name: string): number | undefined {
  const sizes = (registry.routes.get(name)?.models ?? [name]).flatMap((model) => {
    const entry = registry.models.get(model);
    return entry ? [entry.provider === 'builtin' ? Infinity : entry.contextTokens] : [];
  });
  const largest = Math.max(0, ...sizes);
  return largest === 0 || largest === Infinity ? undefined : largest;
}

const isKnown = (registry: Registry, name: string): boolean => {
  const model = registry.models.get(name);
  return model ? model.enabled : registry.routes.has(name);
};
