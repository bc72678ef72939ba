import { readManifest } from '#shared/library/store.ts';
import { resolveVersion } from '#shared/library/aliases.ts';
import type { Registry } from '#shared/models/types.ts';
import { invalidInput, isError, type FieldProblem } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { configHashOf, type ToolLibraryConfig } from './config.ts';
import { sourceHash } from './ingest/source.ts';
import { ROLE_KEYS, type RoleKey, type ToolLibraryInput } from './input.ts';
import { roles } from './roles.ts';

/**
 * Makes a job's config from its input: models resolved and known, source and base version there.
 * @throws InvalidInput naming every field that cannot be used, before any cost.
 */
export async function resolveConfig(request: {
  jobId: string;
  input: ToolLibraryInput;
  /** The envelope's model. */
  model: string | undefined;
  registry: Registry;
  runtime: Runtime;
}): Promise<ToolLibraryConfig> {
  const { jobId, input, model, registry, runtime } = request;
  const problems: FieldProblem[] = [];
  const known = (name: string, pointer: string): string => {
    const entry = registry.models.get(name);
    if (
      !(entry ? entry.enabled : registry.routes.has(name)) &&
      !problems.some((problem) => problem.pointer === pointer)
    ) {
      const names = [...registry.models.keys(), ...registry.routes.keys()].join(', ');
      problems.push({
        pointer,
        code: 'unknown_model',
        detail: `There is no model ${name}; the registry has ${names}.`,
      });
    }
    return name;
  };
  const models = Object.fromEntries(
    ROLE_KEYS.map((key) => {
      const own = input.models[key];
      return [key, known(own ?? model ?? 'builtin', own === undefined ? '/model' : `/models/${key}`)];
    }),
  ) as Record<RoleKey, string>;
  const solvers = (input.solve.models ?? [models['solve-with-tools']]).map((name, n) =>
    known(name, `/solve/models/${n}`),
  );
  const base = await baseOf(input, runtime, problems);
  if (problems.length > 0) throw invalidInput(problems.map(({ detail }) => detail).join(' '), { problems });
  const config = {
    input,
    models,
    solvers,
    builtin: Object.fromEntries(
      ROLE_KEYS.map((key) => [key, registry.models.get(models[key])?.provider === 'builtin']),
    ) as Record<RoleKey, boolean>,
    roles: Object.fromEntries(roles.map(({ name, version }) => [name.slice(name.indexOf('/') + 1), version])),
    sourceHash: await sourceHash(input.source, runtime),
    ...(base === undefined ? {} : { base }),
  };
  return { jobId, ...config, configHash: configHashOf(config) };
}

async function baseOf(
  input: ToolLibraryInput,
  runtime: Runtime,
  problems: FieldProblem[],
): Promise<string | undefined> {
  if (input.baseVersion === undefined) return undefined;
  try {
    const version = await resolveVersion(runtime, input.libraryId, input.baseVersion);
    await readManifest(runtime, input.libraryId, version);
    return version;
  } catch (error) {
    if (!isError(error, 'NotFound')) throw error;
    problems.push({ pointer: '/baseVersion', code: 'not-found', detail: error.message });
    return undefined;
  }
}
