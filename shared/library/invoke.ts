import { faultsOf } from '#shared/models/structured-output/validate.ts';
import type { Sandbox, SandboxPackage, SandboxResult } from '#shared/sandbox/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import { invalidInput } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { keywordCall } from './python.ts';
import { toolOf, type LoadedLibrary } from './load.ts';
import { countInvocation } from './counts.ts';

/** Calling a tool of a published library (section 10). */

const LIMITS = { timeoutMs: 3000, memoryMb: 256, seed: 1 } as const;

const PACKAGES: readonly SandboxPackage[] = ['sympy', 'mpmath'];
const importsOf = (code: string): SandboxPackage[] =>
  PACKAGES.filter((name) => new RegExp(`^\\s*(?:import|from)\\s+${name}\\b`, 'm').test(code));

export type Invocation =
  Omit<Extract<SandboxResult, { ok: true }>, 'id'> | Omit<Extract<SandboxResult, { ok: false }>, 'id'>;

/**
 * Runs a tool in the sandbox with JSON arguments. A tool that raises is an answer (`ok: false`), not an error. Counted
 * beside the immutable version.
 * @throws NotFound for an unknown tool; InvalidInput with the faults of the arguments under the tool's schema.
 */
export async function invokeTool(
  runtime: Runtime,
  sandbox: Sandbox,
  library: LoadedLibrary,
  name: string,
  values: Record<string, Json>,
  options: { signal?: AbortSignal } = {},
): Promise<Invocation> {
  const { tool, module } = await toolOf(runtime, library, name);
  const faults = faultsOf(values, tool.schema);
  if (faults.length > 0) {
    throw invalidInput(`The arguments do not fit the schema of ${tool.name}.`, {
      problems: faults.map(({ path, message }) => ({
        pointer: `/arguments${path === '/' ? '' : path}`,
        code: 'schema-invalid',
        detail: `It ${message}.`,
      })),
    });
  }
  const { libraryId, version } = library.manifest;
  const code = module === undefined ? tool.code : `${module.code}\n\n${tool.code}`;
  const { id: _id, ...result } = await sandbox.run(
    {
      id: tool.id,
      language: 'python',
      code,
      call: keywordCall(tool.entry, values),
      packages: importsOf(code),
      ...LIMITS,
    },
    { unitId: `library ${libraryId} ${version}`, ...options },
  );
  await countInvocation(runtime, library.manifest, tool.name, result.ok);
  return result;
}
