import { hashOf } from '#shared/determinism/hash.ts';
import type { SandboxPackage } from '#shared/sandbox/types.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import type { RoleKey, ToolLibraryInput } from './input.ts';

/** Everything a job's tasks need to know, made once by `validate` and read by all: `jobs/<jobId>/config.json`. */
export interface ToolLibraryConfig {
  jobId: string;
  input: ToolLibraryInput;
  /** Registry name a role, resolved: the input's, else the envelope's, else `builtin`. */
  models: Record<RoleKey, string>;
  /** Models that re-solve questions. */
  solvers: string[];
  /** Whether the builtin algorithm answers a role. */
  builtin: Record<RoleKey, boolean>;
  /** Role versions: prompts, schemas and algorithms. */
  roles: Record<string, string>;
  /** Hash of the source's content. */
  sourceHash: string;
  /** Version id of the base library, where there is one. */
  base?: string;
  /** What makes two runs the same library: all above without `jobId` and where the source lies. */
  configHash: string;
}

export function configHashOf(config: Omit<ToolLibraryConfig, 'configHash' | 'jobId'>): string {
  const { source: _source, ...input } = config.input;
  return hashOf({ ...config, input }).slice(0, 16);
}

const loaded = new Map<string, ToolLibraryConfig>();

/** The job's config.json, remembered by content while the process lives. */
export async function loadConfig(artifacts: Artifacts, ref: ArtifactRef): Promise<ToolLibraryConfig> {
  const id = `${ref.key} ${ref.sha256}`;
  const known = loaded.get(id);
  if (known) return known;
  const config = (await readJson(artifacts, ref)) as ToolLibraryConfig;
  if (loaded.size >= 20) loaded.delete(loaded.keys().next().value!);
  loaded.set(id, config);
  return config;
}

/** What every sandbox run of the job shares. */
export const sandboxLimits = ({ input }: ToolLibraryConfig) => ({
  language: 'python' as const,
  timeoutMs: input.sandbox.timeoutMs,
  memoryMb: input.sandbox.memoryMb,
  seed: input.seed,
  packages: input.sandbox.packages as SandboxPackage[],
});
