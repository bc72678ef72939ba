import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { LIMITS } from './limits.ts';
import { RANDOM_FILE } from './parts.ts';

/** What this machine can put around a child; found out once a process. */
export interface Confinement {
  /** A shell whose `ulimit` bounds memory and processor time. */
  limits: boolean;
  /** A network namespace without interfaces: nothing leaves, whatever the code reaches. */
  network: boolean;
  /** The kernel ends the child with its parent, even in an endless loop. */
  endsWithParent: boolean;
}

const SHELL = '/bin/sh';
const NETWORK = ['unshare', '--map-root-user', '--net', '--'];
const ENDS = [
  'setpriv',
  '--pdeathsig',
  'KILL',
  '--no-new-privs',
  '--bounding-set=-all',
  '--inh-caps=-all',
  '--',
];
const PATHS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'];

/** The command with its absolute path, or nothing: children have no environment, so no PATH. */
function absolute([command, ...rest]: string[]): string[] | undefined {
  const path = PATHS.map((folder) => join(folder, command!)).find(existsSync);
  return path ? [path, ...rest] : undefined;
}

const works = (command: string[] | undefined): boolean =>
  command !== undefined &&
  spawnSync(command[0]!, [...command.slice(1), absolute(['true'])?.[0] ?? '/bin/true'], {
    env: {},
    stdio: 'ignore',
    timeout: 5_000,
  }).status === 0;

let found: Confinement | undefined;

/** What can be put around a child here. */
export function confinement(): Confinement {
  found ??= {
    limits: existsSync(SHELL) && spawnSync(SHELL, ['-c', 'ulimit -d 1000000'], { env: {} }).status === 0,
    network: works(absolute(NETWORK)),
    endsWithParent: works(absolute(ENDS)),
  };
  return found;
}

/** The folder of the installed `pyodide` package. @throws Error saying where it was looked for. */
export function pyodideFolder(): string {
  return realpathSync(dirname(createRequire(import.meta.url).resolve('pyodide/package.json')));
}

/**
 * Starts a child: Node with its permission model (it reads the named paths and does nothing else outside itself), an
 * empty environment, bounded memory, no network and no life beyond its parent's, each where this machine allows.
 * @param entry its first module; @param readable files and folders it may read besides Pyodide and random bytes.
 */
export function launch(options: {
  memoryMb: number;
  entry: string;
  readable: string[];
}): ChildProcessWithoutNullStreams {
  const readable = [pyodideFolder(), RANDOM_FILE, ...options.readable];
  const node = [
    process.execPath,
    '--permission',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    '--disallow-code-generation-from-strings',
    '--max-old-space-size=128',
    '--no-warnings',
    '--wasm-lazy-validation',
    options.entry,
  ];
  const { limits, network, endsWithParent } = confinement();
  const command = [
    ...(network ? absolute(NETWORK)! : []),
    ...(endsWithParent ? absolute(ENDS)! : []),
    ...node,
  ];
  const kilobytes = (options.memoryMb + LIMITS.processMb) * 1024;
  const script = `ulimit -d ${kilobytes}; ulimit -c 0; ulimit -t ${LIMITS.cpuSecondsPerChild}; exec "$@"`;
  const [file, ...args] = limits ? [SHELL, '-c', script, 'sandbox', ...command] : command;
  return spawn(file!, args, { env: {}, cwd: '/', stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true });
}
