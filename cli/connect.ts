import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openPlatform, type Platform } from '#local/platform.ts';
import { ApiClient } from './client.ts';
import { bearer, loopback, sigV4 } from './authorise.ts';
import { CliError, EXIT } from './exit.ts';
import type { Settings } from './settings.ts';
import { embeddedPath } from './summary.ts';

/** A platform to talk to, however it is reached. */
export interface Connection {
  client: ApiClient;
  /** `embedded`: in this process; `attached`: embedded in another one on this machine; `remote`: AWS. */
  mode: 'embedded' | 'attached' | 'remote';
  platform?: Platform;
  /** What to show for an output's key. */
  locate(key: string): string;
  close(): Promise<void>;
}

/**
 * Reaches the platform the settings name: the remote endpoint, else the process that owns the data directory, else
 * a platform in this process.
 * @param work whether this command moves jobs forward; those that only look leave executions alone.
 */
export async function connect(settings: Settings, options: { work: boolean }): Promise<Connection> {
  const endpoint = settings.endpoint.value;
  if (endpoint) {
    const url = new URL(endpoint);
    const onLoopback = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname);
    const token = process.env.AGENTMILL_TOKEN;
    const authorise = token
      ? bearer(token)
      : onLoopback
        ? loopback
        : sigV4({ region: settings.region.value, profile: settings.profile.value });
    if (token && url.protocol !== 'https:' && !onLoopback) {
      throw new CliError(EXIT.usage, `--endpoint ${endpoint}: a token is only sent over https.`);
    }
    return {
      client: new ApiClient(endpoint, authorise),
      mode: 'remote',
      locate: (key) => key,
      close: () => Promise.resolve(),
    };
  }
  const dataDir = resolve(settings.dataDir.value ?? '.agentmill');
  const owner = await runningOwner(dataDir);
  if (owner) {
    return {
      client: new ApiClient(owner.url, loopback),
      mode: 'attached',
      locate: (key) => embeddedPath(dataDir, owner.bucket, key, process.cwd()),
      close: () => Promise.resolve(),
    };
  }
  const platform = await openPlatform({ dataDir, paused: !options.work, listen: { port: 0 } });
  return {
    client: new ApiClient(platform.url!, loopback),
    mode: 'embedded',
    platform,
    locate: (key) => embeddedPath(dataDir, platform.bucket, key, process.cwd()),
    close: () => platform.close(),
  };
}

/** The process that owns a data directory, when it is alive and answers. */
export async function runningOwner(
  dataDir: string,
): Promise<{ url: string; pid: number; bucket: string } | undefined> {
  const file = join(dataDir, 'platform.json');
  if (!existsSync(file)) return undefined;
  try {
    const owner = JSON.parse(readFileSync(file, 'utf8')) as { url: string; pid: number; bucket: string };
    process.kill(owner.pid, 0);
    const response = await fetch(`${owner.url}/v1/health`, { signal: AbortSignal.timeout(2_000) });
    return response.ok ? owner : undefined;
  } catch {
    // A file left by a killed process: nobody answers, so this process may own the directory.
    return undefined;
  }
}
