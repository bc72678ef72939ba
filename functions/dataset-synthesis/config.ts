import { hashOf } from '#shared/determinism/hash.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { ROLE_KEYS, type RoleKey, type SynthesisInput } from './records.ts';

/** Everything a job's tasks need to know, made once by `validate` and read by all. */
export interface SynthesisConfig {
  jobId: string;
  input: SynthesisInput;
  /** Registry name a role, resolved: the input's, else the envelope's, else `builtin`. */
  models: Record<RoleKey, string>;
  /** Whether the builtin algorithms answer a role. */
  builtin: Record<RoleKey, boolean>;
  /** Tokens a role's model can take, prompt and answer; absent where there is no limit (`builtin`). */
  contextTokens: Partial<Record<RoleKey, number>>;
  /** Role versions: prompts, few-shots and schemas. */
  roles: Record<RoleKey, string>;
  fewShotHash: string;
  lexiconHash: string;
  benchmarks: { name: string; file: string; sha256: string; bytes: number }[];
  configHash: string;
}

/**
 * What makes two runs the same data: the input without `batch`, which only says how work is cut, the models it
 * resolves to, and the hashes of roles, few-shots, lexicon and benchmarks.
 */
export function configHashOf(
  config: Omit<SynthesisConfig, 'configHash' | 'jobId' | 'contextTokens'>,
): string {
  const { batch: _batch, ...input } = config.input;
  const { models, roles, fewShotHash, lexiconHash } = config;
  const benchmarks = config.benchmarks.map(({ name, sha256 }) => ({ name, sha256 }));
  return hashOf({ input, models, roles, fewShotHash, lexiconHash, benchmarks });
}

export function modelsOf(input: SynthesisInput, jobModel: string | undefined): Record<RoleKey, string> {
  const fallback = jobModel ?? 'builtin';
  return Object.fromEntries(ROLE_KEYS.map((role) => [role, input.models[role] ?? fallback])) as Record<
    RoleKey,
    string
  >;
}

const loaded = new Map<string, SynthesisConfig>();

/** The job's config.json, remembered by content while the process lives. */
export async function loadConfig(artifacts: Artifacts, ref: ArtifactRef): Promise<SynthesisConfig> {
  const known = loaded.get(ref.sha256);
  if (known) return known;
  const config = (await readJson(artifacts, ref)) as SynthesisConfig;
  if (loaded.size >= 20) loaded.delete(loaded.keys().next().value!);
  loaded.set(ref.sha256, config);
  return config;
}

/** Requests of one child execution stay within what one task token may carry (model-inference section 11). */
const REQUESTS_A_TOKEN = 1000;

/** Items of one child execution: 4 document parts and 2 pair parts, fewer where parts are large. */
export function batchSizes(input: SynthesisInput): { analyse: number; synthesise: number } {
  const fit = (most: number, size: number): number =>
    Math.max(1, Math.min(most, Math.floor(REQUESTS_A_TOKEN / size)));
  return { analyse: fit(4, input.batch.documentsPerShard), synthesise: fit(2, input.batch.pairsPerShard) };
}
