import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { catalogFindings } from '#local/platform.ts';
import { modelsFileNames } from '#shared/models/registry.ts';
import { confinement } from '#shared/sandbox/launch.ts';
import { openPool } from '#shared/sandbox/pool.ts';
import { describeFindings } from '#shared/task/check-catalog.ts';
import { dataDirOf, runningOwner } from '../connect.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { ApiClient } from '../client.ts';
import { loopback } from '../authorise.ts';
import { table } from '../output.ts';

interface Check {
  check: string;
  ok: boolean;
  /** A warning does not make the command fail. */
  warning?: boolean;
  detail: string;
}

/** Whether generated Python runs here, and what this machine puts around it (docs/sandbox.md). */
async function sandbox(): Promise<Check> {
  const pool = openPool(process.env, { workers: 1 });
  try {
    const result = await pool.run({
      id: 'doctor',
      language: 'python',
      code: 'import sys',
      call: '".".join(map(str, sys.version_info[:3]))',
      timeoutMs: 10_000,
      memoryMb: 128,
      seed: 1,
    });
    if (!result.ok)
      return { check: 'sandbox', ok: false, detail: `Python does not run: ${result.error.message}` };
    const { network, limits, endsWithParent } = confinement();
    const missing = [
      ...(network
        ? []
        : [
            'no network isolation (unshare is not allowed here): nothing but Node keeps generated code offline',
          ]),
      ...(limits ? [] : ['no memory limit by the system (ulimit -d): the watchdog alone bounds memory']),
      ...(endsWithParent ? [] : ['no setpriv: an endless run may outlive a killed platform']),
    ];
    return missing.length === 0
      ? { check: 'sandbox', ok: true, detail: `Python ${String(result.value)}, without network` }
      : {
          check: 'sandbox',
          ok: false,
          warning: true,
          detail: `Python ${String(result.value)}; ${missing.join('; ')}`,
        };
  } catch (error) {
    return { check: 'sandbox', ok: false, detail: (error as Error).message };
  } finally {
    await pool.close();
  }
}

/** `agentmill doctor`: whether this machine can run the platform, and where each setting comes from. */
export async function doctor(context: CommandContext, options: { network?: boolean }): Promise<number> {
  const { settings, output } = context;
  const dataDir = dataDirOf(settings);
  const checks: Check[] = [
    nodeVersion(),
    sqlite(),
    dataDirectory(dataDir),
    await port(settings.port.value ?? 7777, dataDir),
    catalogCheck(),
    await attempt('models', async () => (await modelsFileNames(process.env)).join(', ')),
    credentials(),
    await sandbox(),
  ];
  if (options.network) checks.push(await network(settings.endpoint.value));
  const origins = (['dataDir', 'endpoint', 'profile', 'region', 'model', 'port'] as const).map((name) => ({
    name,
    ...settings[name],
  }));
  const failed = checks.filter((check) => !check.ok && !check.warning);
  if (output.json)
    output.result({
      ok: failed.length === 0,
      checks,
      settings: origins,
      config: settings.configPath ?? null,
    });
  else {
    const mark = (check: Check): string =>
      check.ok
        ? output.color.green('ok')
        : check.warning
          ? output.color.yellow('note')
          : output.color.red('FAIL');
    output.print(table(checks.map((check) => [mark(check), check.check, check.detail])));
    output.print('\nSettings:');
    output.print(
      table(
        origins.map((setting) => [
          `  ${setting.name}`,
          setting.value === undefined ? '-' : String(setting.value),
          setting.origin === 'default' ? 'default' : `${setting.origin}: ${setting.from}`,
        ]),
      ),
    );
  }
  return failed.length === 0 ? EXIT.ok : EXIT.findings;
}

function catalogCheck(): Check {
  const findings = catalogFindings();
  return {
    check: 'catalog',
    ok: findings.length === 0,
    detail: findings.length === 0 ? 'every workflow is consistent' : describeFindings(findings),
  };
}

async function attempt(check: string, body: () => Promise<string>): Promise<Check> {
  try {
    return { check, ok: true, detail: await body() };
  } catch (error) {
    return { check, ok: false, detail: (error as Error).message };
  }
}

function nodeVersion(): Check {
  const major = Number(process.versions.node.split('.')[0]);
  return {
    check: 'node',
    ok: major >= 24,
    detail:
      major >= 24
        ? process.version
        : `${process.version}: Node 24 is needed; \`npm ci\` installs it for \`npm run\` and \`npx agentmill\``,
  };
}

function sqlite(): Check {
  const database = new DatabaseSync(':memory:');
  const { version } = database.prepare('SELECT sqlite_version() AS version').get() as { version: string };
  database.close();
  return { check: 'sqlite', ok: true, detail: version };
}

function dataDirectory(dataDir: string): Check {
  const existing = existsSync(dataDir) ? dataDir : nearestExisting(dataDir);
  if (!statSync(existing).isDirectory()) {
    return { check: 'data directory', ok: false, detail: `${existing} is a file; give another --data-dir` };
  }
  try {
    accessSync(existing, constants.W_OK);
    return { check: 'data directory', ok: true, detail: dataDir };
  } catch {
    const detail = `${existing} cannot be written; give another --data-dir`;
    return { check: 'data directory', ok: false, detail };
  }
}

function nearestExisting(path: string): string {
  let folder = path;
  while (!existsSync(folder)) folder = dirname(folder);
  return folder;
}

async function port(wanted: number, dataDir: string): Promise<Check> {
  const owner = await runningOwner(dataDir);
  if (owner)
    return { check: 'port', ok: true, detail: `agentmill is up at ${owner.url} (process ${owner.pid})` };
  return new Promise((settle) => {
    const server = createServer();
    server.once('error', () =>
      settle({
        check: 'port',
        ok: false,
        warning: true,
        detail: `${wanted} is taken; give \`agentmill up --port\``,
      }),
    );
    server.listen(wanted, '127.0.0.1', () => {
      server.close(() => settle({ check: 'port', ok: true, detail: `${wanted} is free` }));
    });
  });
}

function credentials(): Check {
  const found = ['AWS_ACCESS_KEY_ID', 'AWS_PROFILE', 'AWS_WEB_IDENTITY_TOKEN_FILE', 'AGENTMILL_TOKEN'].filter(
    (name) => process.env[name],
  );
  return {
    check: 'credentials',
    ok: found.length > 0,
    warning: true,
    detail:
      found.length > 0 ? found.join(', ') : 'none in the environment; only a remote --endpoint needs them',
  };
}

async function network(endpoint: string | undefined): Promise<Check> {
  if (!endpoint) return { check: 'network', ok: true, detail: 'no --endpoint is set: nothing to reach' };
  return attempt('network', async () => {
    try {
      const health = await new ApiClient({ url: endpoint, authorise: loopback }).request<{ version: string }>(
        'GET',
        '/v1/health',
      );
      return `${endpoint} answers, version ${health.version}`;
    } catch (error) {
      if (error instanceof CliError) throw new Error(error.message, { cause: error });
      throw error;
    }
  });
}
