import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { CliError, EXIT } from './exit.ts';

/** Where a setting came from, for `agentmill doctor`. */
export type Origin = 'flag' | 'environment' | 'config file' | 'default';

export interface Setting<T> {
  value: T;
  origin: Origin;
  /** The flag, variable or file that set it. */
  from: string;
}

const ConfigFile = z.strictObject({
  dataDir: z.string().min(1).optional(),
  endpoint: z.url().optional(),
  profile: z.string().min(1).optional(),
  region: z.string().min(1).optional(),
  model: z.string().min(1).optional(),
  port: z.int().min(0).max(65535).optional(),
});
type ConfigFile = z.infer<typeof ConfigFile>;

const DEFAULTS: ConfigFile = { dataDir: '.agentmill', port: 7777 };

const VARIABLES: Record<keyof ConfigFile, string> = {
  dataDir: 'AGENTMILL_DATA_DIR',
  endpoint: 'AGENTMILL_ENDPOINT',
  profile: 'AGENTMILL_PROFILE',
  region: 'AGENTMILL_REGION',
  model: 'AGENTMILL_MODEL',
  port: 'AGENTMILL_PORT',
};

/** Flags that are not spelt as their setting. */
const FLAGS: Partial<Record<keyof ConfigFile, string>> = { dataDir: '--data-dir' };

export type Settings = { [Key in keyof ConfigFile]-?: Setting<ConfigFile[Key]> } & {
  configPath: string | undefined;
};

/** The nearest agentmill.config.json from a folder upwards. */
function findConfig(from: string): string | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const candidate = join(folder, 'agentmill.config.json');
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) return undefined;
  }
}

function readConfig(path: string): ConfigFile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CliError(EXIT.usage, `${path} cannot be read as JSON: ${(error as Error).message}`);
  }
  const result = ConfigFile.safeParse(parsed);
  if (!result.success) {
    throw new CliError(
      EXIT.usage,
      `${path} has settings that are not understood.`,
      result.error.issues.map((issue) => `${issue.path.join('.') || '(file)'}: ${issue.message}`),
    );
  }
  return result.data;
}

/**
 * Resolves every setting: flags, then AGENTMILL_* variables, then the nearest config file, then defaults.
 * @throws CliError (usage) when the config file or a variable is malformed; unknown keys are refused.
 */
export function resolveSettings(
  flags: Record<string, unknown>,
  env: Record<string, string | undefined>,
  cwd: string,
): Settings {
  const explicit = typeof flags.config === 'string' ? resolve(cwd, flags.config) : undefined;
  if (explicit && !existsSync(explicit))
    throw new CliError(EXIT.usage, `--config: ${explicit} does not exist.`);
  const configPath = explicit ?? findConfig(cwd);
  const file = configPath ? readConfig(configPath) : {};

  const settle = (key: keyof ConfigFile): Setting<unknown> => {
    const check = (value: unknown, from: string): unknown => {
      const parsed = ConfigFile.shape[key].safeParse(value);
      if (parsed.success) return parsed.data;
      throw new CliError(
        EXIT.usage,
        `${from} ${String(value)}: ${parsed.error.issues[0]?.message ?? 'is malformed'}.`,
      );
    };
    if (flags[key] !== undefined) {
      const from = FLAGS[key] ?? `--${key}`;
      return { value: check(flags[key], from), origin: 'flag', from };
    }
    const variable = VARIABLES[key];
    const text = env[variable];
    if (text !== undefined && text !== '') {
      const value = check(key === 'port' ? Number(text) : text, variable);
      return { value, origin: 'environment', from: variable };
    }
    if (file[key] !== undefined) return { value: file[key], origin: 'config file', from: configPath ?? '' };
    return { value: DEFAULTS[key], origin: 'default', from: '' };
  };
  const settled = Object.fromEntries(
    (Object.keys(VARIABLES) as (keyof ConfigFile)[]).map((key) => [key, settle(key)]),
  );
  return { ...settled, configPath } as Settings;
}
