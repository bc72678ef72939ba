import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  openPlatform,
  readOwner,
  taskLogOf,
  type Owner,
  type Platform,
  type PlatformOptions,
} from '#local/platform.ts';
import { ApiClient, type Authorise, type Target } from './client.ts';
import { bearer, loopback, sigV4 } from './authorise.ts';
import { CliError, EXIT } from './exit.ts';
import type { Settings } from './settings.ts';
import { embeddedPath } from './summary.ts';

/** A platform to talk to, however it is reached. */
export interface Connection {
  readonly client: ApiClient;
  /** `embedded`: in this process; `attached`: embedded in another one on this machine; `remote`: AWS. */
  readonly mode: 'embedded' | 'attached' | 'remote';
  readonly platform?: Platform | undefined;
  /** What to show for an output's key. */
  locate(key: string): string;
  /** Task log lines of a job; undefined where the platform is remote. */
  taskLog(jobId: string): AsyncIterable<string> | undefined;
  close(): Promise<void>;
}

/** How long another process may hold a data directory without serving it yet. */
const OWNER_WAIT_MS = 15_000;

/**
 * Reaches the platform the settings name: the remote endpoint, else the process that owns the data directory, else
 * a platform in this process.
 * @param work whether this command moves jobs forward; those that only look leave executions alone.
 */
export async function connect(settings: Settings, options: { work: boolean }): Promise<Connection> {
  const endpoint = settings.endpoint.value;
  return endpoint ? remote(endpoint, settings) : LocalConnection.open(dataDirOf(settings), options);
}

export const dataDirOf = (settings: Settings): string => resolve(settings.dataDir.value ?? '.agentmill');

function remote(endpoint: string, settings: Settings): Connection {
  const url = new URL(endpoint);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new CliError(EXIT.usage, `--endpoint ${endpoint}: give an https or http address.`);
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
    client: new ApiClient({ url: endpoint, authorise }),
    mode: 'remote',
    locate: (key) => key,
    taskLog: () => undefined,
    close: () => Promise.resolve(),
  };
}

/** The platform of a data directory: another process's while it lives, this process's otherwise. */
class LocalConnection implements Connection {
  client!: ApiClient;
  platform: Platform | undefined;
  readonly #dataDir: string;
  readonly #work: boolean;
  #bucket = '';

  private constructor(dataDir: string, work: boolean) {
    this.#dataDir = dataDir;
    this.#work = work;
  }

  static async open(dataDir: string, { work }: { work: boolean }): Promise<LocalConnection> {
    const connection = new LocalConnection(dataDir, work);
    const target = await connection.#reach();
    connection.client = new ApiClient(target, () =>
      // With the platform in this process there is nowhere else to go.
      connection.platform ? Promise.resolve(undefined) : connection.#reach(),
    );
    return connection;
  }

  get mode(): 'embedded' | 'attached' {
    return this.platform ? 'embedded' : 'attached';
  }

  /** Finds the owner or becomes it: a job is followed past the end of the process that ran it. */
  async #reach(): Promise<Target> {
    for (const until = Date.now() + OWNER_WAIT_MS; ;) {
      const owner = await runningOwner(this.#dataDir);
      if (owner) {
        this.#bucket = owner.bucket;
        return { url: owner.url, authorise: authoriseFor(owner) };
      }
      try {
        this.platform = await openLocal({ dataDir: this.#dataDir, paused: !this.#work, listen: { port: 0 } });
        this.#bucket = this.platform.bucket;
        return { url: this.platform.url!, authorise: loopback };
      } catch (error) {
        // Another process has just opened the directory, or is about to leave it.
        if (!(error instanceof InUse) || Date.now() >= until) throw error;
        await delay(100);
      }
    }
  }

  locate(key: string): string {
    return embeddedPath(this.#dataDir, this.#bucket, key, process.cwd());
  }

  taskLog(jobId: string): AsyncIterable<string> {
    return taskLogOf(this.#dataDir, jobId);
  }

  async close(): Promise<void> {
    await this.platform?.close();
  }
}

class InUse extends CliError {}

/** What opening the embedded platform says of a directory or port that cannot be used, as the user's error. */
const OPENING: Record<string, string> = {
  ENOTDIR: 'a part of its path is a file',
  EEXIST: 'it is a file',
  EACCES: 'it may not be written',
  EPERM: 'it may not be written',
  EROFS: 'its file system is read-only',
  ENOSPC: 'its disk is full',
};

/** SQLite's own result codes. */
const SQLITE: Record<number, string> = { 8: 'EROFS', 13: 'ENOSPC', 14: 'EACCES' };

/** The user's error where a data directory cannot be used; undefined where it is another fault. */
export function directoryFault(error: unknown, dataDir: string, advice: string): CliError | undefined {
  const { code, errcode } = error as { code?: string; errcode?: number };
  // SQLite adds detail above the low byte.
  const why = OPENING[(errcode === undefined ? code : SQLITE[errcode & 0xff]) ?? ''];
  return why === undefined
    ? undefined
    : new CliError(EXIT.failed, `The data directory ${dataDir}: ${why}.`, [advice]);
}

/** Opens the embedded platform. @throws CliError where the data directory or the port cannot be used. */
export async function openLocal(options: PlatformOptions): Promise<Platform> {
  try {
    return await openPlatform(options);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new CliError(EXIT.failed, `Port ${options.listen?.port} is taken.`, [
        'Give another with --port; 0 takes any that is free.',
      ]);
    }
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new CliError(EXIT.usage, `--host ${options.listen?.host}: this machine has no such address.`);
    }
    const fault = directoryFault(error, options.dataDir, 'Give another with --data-dir.');
    if (fault) throw fault;
    if (/is in use by another agentmill process/.test(message)) throw new InUse(EXIT.failed, message);
    throw error;
  }
}

const authoriseFor = ({ token }: Owner): Authorise => (token ? bearer(token) : loopback);

/** The process that owns a data directory, when it is alive and answers. */
export async function runningOwner(dataDir: string): Promise<Owner | undefined> {
  const owner = readOwner(dataDir);
  if (!owner) return undefined;
  try {
    process.kill(owner.pid, 0);
    const headers = await authoriseFor(owner)({
      method: 'GET',
      url: new URL(owner.url),
      headers: {},
      body: undefined,
    });
    const response = await fetch(`${owner.url}/v1/health`, { headers, signal: AbortSignal.timeout(2_000) });
    return response.ok ? owner : undefined;
  } catch {
    // A file left by a killed process: nobody answers, so this process may own the directory.
    return undefined;
  }
}
