import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
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
import { packHeap } from './heap.ts';
import { launch, pyodideFolder } from './launch.ts';
import { LIMITS } from './limits.ts';
import { PARTS } from './parts.ts';
import { childSource, modulesFolder, plainModules } from './plain.ts';
import { runnerSource } from './preload.ts';
import type { ChildConfig } from './sandbox-child.ts';
import type { Wheel } from './wheels.ts';

/**
 * Snapshots of a started interpreter: restored in a third of a second, where a cold start takes seconds. They are made
 * on first use and kept under the build's hash, a folder each (parts.ts) with the SHA-256 of its files.
 */

let own: string | undefined;

/** What is the same for every snapshot here: Pyodide, the engine, the child's own modules. */
function ownHash(): string {
  if (own !== undefined) return own;
  const hash = createHash('sha256').update(`${process.version} ${process.platform} ${process.arch}`);
  for (const name of ['package.json', 'pyodide.asm.mjs', 'python_stdlib.zip']) {
    hash.update(readFileSync(join(pyodideFolder(), name)));
  }
  const folder = modulesFolder();
  // A bundle's modules are not taken into the snapshot.
  const sources = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  for (const name of sources.sort()) hash.update(readFileSync(join(folder, name)));
  return (own = hash.digest('hex'));
}

/** What decides a snapshot's content, as a hash: another build never finds this one's. */
function buildOf(wheels: readonly Wheel[], packages: readonly string[]): string {
  const hash = createHash('sha256').update(ownHash()).update(runnerSource(wheels, packages));
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

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Whether every file of a snapshot's folder is there and whole. */
export function isWhole(folder: string): boolean {
  try {
    const hashes = JSON.parse(readFileSync(join(folder, PARTS.hashes), 'utf8')) as Record<string, string>;
    return Object.entries(hashes).every(([name, hash]) => sha256(readFileSync(join(folder, name))) === hash);
  } catch {
    return false;
  }
}

/** Starts an interpreter cold and takes down what is needed to start one like it. */
async function take(
  wheels: readonly Wheel[],
  packages: readonly string[],
): Promise<{ program: Buffer; code: Buffer; memory: Buffer }> {
  const child = launch({
    memoryMb: LIMITS.memoryMb.max,
    entry: childSource(),
    readable: [modulesFolder(), ...wheels.map((wheel) => wheel.path)],
  });
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
  const answer = Buffer.concat(chunks);
  let at = answer.indexOf(10) + 1;
  const sizes = JSON.parse(answer.toString('utf8', 0, at)) as [number, number, number];
  const [program, engine, memory] = sizes.map((size) => answer.subarray(at, (at += size)));
  return { program: program!, code: engine!, memory: memory! };
}

async function make(folder: string, wheels: readonly Wheel[], packages: readonly string[]): Promise<void> {
  const { program, code, memory } = await take(wheels, packages);
  const files = new Map<string, Uint8Array>([
    [PARTS.program, program],
    [PARTS.code, code],
    [PARTS.heap, Buffer.concat(packHeap(memory))],
    ...plainModules().map(({ name, text }): [string, Buffer] => [
      join(PARTS.modules, name),
      Buffer.from(text),
    ]),
  ]);
  const hashes = Object.fromEntries([...files].map(([name, bytes]) => [name, sha256(bytes)]));
  files.set(PARTS.hashes, Buffer.from(JSON.stringify(hashes)));
  // Several processes may do this at once: each fills a folder of its own, and the first that gets the name stands, whole.
  const temporary = `${folder}.${randomBytes(6).toString('hex')}`;
  mkdirSync(join(temporary, PARTS.modules), { recursive: true, mode: 0o700 });
  for (const [name, bytes] of files) writeFileSync(join(temporary, name), bytes, { mode: 0o600 });
  try {
    renameSync(temporary, folder);
  } catch (error) {
    if (!isWhole(folder)) throw error;
    rmSync(temporary, { recursive: true, force: true });
  }
}

const ready = new Map<string, Promise<string>>();

/**
 * The folder of a verified snapshot with these packages imported, made now if there is none.
 * @throws StorageUnavailable when the interpreter does not start or the folder cannot be written.
 */
export function snapshotFor(
  env: Readonly<Record<string, string | undefined>>,
  wheels: readonly Wheel[],
  packages: readonly string[],
): Promise<string> {
  const folder = join(snapshotFolder(env), buildOf(wheels, packages));
  let promise = ready.get(folder);
  if (!promise) {
    promise = (async () => {
      if (!isWhole(folder)) {
        rmSync(folder, { recursive: true, force: true });
        await make(folder, wheels, packages);
      }
      return folder;
    })();
    promise.catch(() => ready.delete(folder));
    ready.set(folder, promise);
  }
  return promise;
}

/** After a child could not restore it: looks at the files again the next time. */
export const doubtSnapshot = (folder: string): boolean => ready.delete(folder);

/** The child's first module: as the snapshot holds it, or as it lies here where that is JavaScript already. */
export function childModule(folder: string): string {
  const plain = join(folder, PARTS.modules, 'sandbox-child.mjs');
  return existsSync(plain) ? plain : childSource();
}
