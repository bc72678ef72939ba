import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { storageUnavailable } from '#shared/task/errors.ts';
import { launch, pyodideFolder } from './launch.ts';
import { LIMITS } from './limits.ts';
import { runnerSource } from './preload.ts';
import type { ChildConfig } from './sandbox-child.ts';
import type { Wheel } from './wheels.ts';

/**
 * Snapshots of a started interpreter: restored in a third of a second, where a cold start takes seconds. They are made
 * on first use and kept under the build's hash; a file is the snapshot's SHA-256 and the snapshot.
 */

/** What decides a snapshot's content, as a hash: another build never finds this one's. */
function buildOf(wheels: readonly Wheel[], packages: readonly string[]): string {
  const pyodide = pyodideFolder();
  const hash = createHash('sha256').update(runnerSource(wheels, packages));
  for (const name of ['package.json', 'pyodide.asm.mjs', 'python_stdlib.zip']) {
    hash.update(readFileSync(join(pyodide, name)));
  }
  for (const wheel of wheels) hash.update(`\n${wheel.name} ${wheel.sha256}`);
  return hash.digest('hex').slice(0, 32);
}

/** A folder of ours alone: what lies in it is executed. */
function ownFolder(path: string): string | undefined {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const real = realpathSync(path);
    const { uid } = statSync(real);
    if (process.getuid && uid !== process.getuid()) return undefined;
    chmodSync(real, 0o700);
    const probe = join(real, `.${randomBytes(6).toString('hex')}`);
    writeFileSync(probe, '');
    rmSync(probe);
    return real;
  } catch {
    return undefined;
  }
}

/**
 * Where snapshots are kept: the setting `AGENTMILL_SANDBOX_CACHE`, else the user's cache folder, else the system's
 * temporary folder. @throws StorageUnavailable when none can be written.
 */
export function snapshotFolder(env: Readonly<Record<string, string | undefined>>): string {
  const named = env['AGENTMILL_SANDBOX_CACHE'];
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const places = named
    ? [named]
    : [join(cache, 'agentmill', 'sandbox'), join(tmpdir(), `agentmill-sandbox-${userInfo().uid}`)];
  for (const place of places) {
    const folder = ownFolder(place);
    if (folder) return folder;
  }
  throw storageUnavailable(
    `No folder for the sandbox's snapshots can be written (tried ${places.join(', ')}): set AGENTMILL_SANDBOX_CACHE.`,
  );
}

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const HASH_BYTES = 32;

/** Whether the file is whole; one that is not is removed. */
function verified(path: string): boolean {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return false;
  }
  if (bytes.length > HASH_BYTES && sha256(bytes.subarray(HASH_BYTES)).equals(bytes.subarray(0, HASH_BYTES))) {
    return true;
  }
  rmSync(path, { force: true });
  return false;
}

async function make(path: string, wheels: readonly Wheel[], packages: readonly string[]): Promise<void> {
  const child = launch({ memoryMb: LIMITS.memoryMb.max, readable: wheels.map((wheel) => wheel.path) });
  const timer = setTimeout(() => child.kill('SIGKILL'), 3 * LIMITS.bootMs);
  const config: ChildConfig = {
    nonce: '',
    pyodide: pyodideFolder(),
    snapshot: null,
    wheels: wheels.map((wheel) => ({ name: wheel.name, path: wheel.path })),
    packages: [...packages],
    mode: 'snapshot',
  };
  const chunks: Buffer[] = [];
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4_000)));
  child.stdin.on('error', () => undefined);
  child.stdin.end(`${JSON.stringify(config)}\n`);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  if (code !== 0)
    throw storageUnavailable(`The Python interpreter does not start: ${errors || `exit ${code}`}`);
  const snapshot = Buffer.concat(chunks);
  // Several processes may do this at once: each writes its own file, and the last rename stands, whole.
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(temporary, Buffer.concat([sha256(snapshot), snapshot]), { mode: 0o600 });
  renameSync(temporary, path);
}

const ready = new Map<string, Promise<string>>();

/**
 * The path of a verified snapshot with these packages imported, made now if there is none.
 * @throws StorageUnavailable when the interpreter does not start or the folder cannot be written.
 */
export function snapshotFor(
  env: Readonly<Record<string, string | undefined>>,
  wheels: readonly Wheel[],
  packages: readonly string[],
): Promise<string> {
  const path = join(snapshotFolder(env), `${buildOf(wheels, packages)}.snapshot`);
  let promise = ready.get(path);
  if (!promise) {
    promise = (async () => {
      if (!verified(path)) await make(path, wheels, packages);
      return path;
    })();
    promise.catch(() => ready.delete(path));
    ready.set(path, promise);
  }
  return promise;
}

/** After a child could not restore it: looks at the file again the next time. */
export const doubtSnapshot = (path: string): boolean => ready.delete(path);

/** A snapshot's bytes without its hash. */
export const SNAPSHOT_OFFSET = HASH_BYTES;
