import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { Metafile } from 'esbuild';
import { bundleId, bundleOf, bundleOptions, keptBundle, type Bundle } from '#functions/bundling.ts';
import { copyPackages, FILE_PACKAGES, packageClosure } from '#functions/file-packages.ts';
import { services } from '#functions/services.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { growthProblem, readRecord, writeRecord } from './bundle-record.ts';

/** What one task's bundle is, and what is wrong with it. */
export interface BundleReport {
  /** The entry module, and what lies beside the bundle. */
  entry: string;
  /** Minified bytes loaded at a cold start: the entry and what it imports statically. */
  coldBytes: number;
  /** With the chunks that are loaded when they are needed. */
  totalBytes: number;
  /** Packages copied beside the bundle as files; not bundled, so not within its limit. */
  packageBytes: number;
  problems: string[];
}

/** Minified bytes of a cold start (infra-api-cli section 2). */
export const MAX_COLD_BYTES = 2 * 1024 * 1024;

/** Unpacked bytes of a function with all that lies beside it, Lambda's own limit (250 MB). */
export const MAX_PACKAGE_BYTES = 250 * 1024 * 1024;

/** A bundle as it is checked. */
export interface CheckedBundle extends Bundle {
  /** Serves every workflow: it can load roles whose packages only their own workflow's copy has beside it. */
  shared?: boolean;
}

/** Every distinct bundle that becomes a Lambda. */
export function bundleEntries(catalog: readonly Pick<WorkflowEntry, 'name' | 'tasks'>[]): CheckedBundle[] {
  const tasks = catalog.flatMap(({ name, tasks }) =>
    Object.values(tasks).map((task): CheckedBundle => ({
      ...bundleOf(name, task),
      ...(task.platform === 'infer' ? { shared: true } : {}),
    })),
  );
  const bundles: CheckedBundle[] = [...tasks, ...Object.values(services)];
  const distinct = new Map(bundles.map((bundle) => [bundleId(bundle), bundle]));
  return [...distinct].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, bundle]) => bundle);
}

/** Paths of outputs that load with `start`, following static imports. */
function staticClosure(outputs: Metafile['outputs'], start: string): Set<string> {
  const closure = new Set([start]);
  for (const path of closure) {
    for (const imported of outputs[path]?.imports ?? []) {
      if (imported.kind === 'import-statement' && !imported.external) closure.add(imported.path);
    }
  }
  return closure;
}

/** A corpus is a SQLite file on AWS too; all else of SQLite is the embedded platform's. */
const SQLITE_FILES = /^shared\/research\/corpus\//;

/** What the metafile shows that must not be in a bundle. */
export function metafileProblems(metafile: Metafile): string[] {
  const problems = Object.keys(metafile.inputs)
    .filter((path) => /^(local|cli|infra|shared\/storage\/embedded)\//.test(path))
    .map((path) => `bundles ${path}`);
  for (const [input, { imports }] of Object.entries(metafile.inputs)) {
    // A library's guarded `require` of an optional feature (undici's cache) is not ours and does no harm.
    const loads = imports.some(({ path, kind }) => path === 'node:sqlite' && kind !== 'require-call');
    if (loads && !SQLITE_FILES.test(input)) problems.push(`imports node:sqlite in ${input}`);
  }
  return problems;
}

/** Packages that the bundle imports as files and that will not lie beside it. */
export function missingPackages({ outputs }: Metafile, { packages = [], shared }: CheckedBundle): string[] {
  const beside = new Set(packageClosure(packages).map((folder) => folder.replace(/^.*node_modules\//, '')));
  const imported = Object.values(outputs)
    .flatMap(({ imports }) => imports)
    .filter(({ external, kind }) => external === true && !(shared && kind === 'dynamic-import'))
    .map(({ path }) => FILE_PACKAGES.find((name) => path === name || path.startsWith(`${name}/`)))
    .filter((name) => name !== undefined && !beside.has(name));
  return [...new Set(imported)].map((name) => `imports ${name}: add it to \`packages\` of its catalog entry`);
}

/** Imports a bundle in a process of its own, as a Lambda's cold start does; undefined when it exports a handler. */
async function loadProblem(path: string): Promise<string | undefined> {
  const script = `const m = await import(${JSON.stringify(pathToFileURL(path).href)});
    if (typeof m.handler !== 'function') { console.error('exports no function "handler"'); process.exit(1); }
    process.exit(0);`;
  try {
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 60_000 });
    return undefined;
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    const lines = (stderr || message).split('\n').filter((line) => line.trim() !== '');
    return `does not load: ${lines.find((line) => /error/i.test(line)) ?? lines[0] ?? message}`;
  }
}

/** Builds one entry as production does, and loads it. */
export async function checkBundle(bundle: CheckedBundle, outdir: string): Promise<BundleReport> {
  const entry = bundleId(bundle);
  const sizes = { coldBytes: 0, totalBytes: 0, packageBytes: 0 };
  const { build } = await import('esbuild');
  let metafile: Metafile;
  try {
    ({ metafile } = (await build({ ...bundleOptions(bundle, outdir), logLevel: 'silent' })) as {
      metafile: Metafile;
    });
  } catch (error) {
    return { entry, ...sizes, problems: [`does not build: ${(error as Error).message}`] };
  }
  sizes.packageBytes = copyPackages(bundle.packages ?? [], outdir);
  const code = Object.entries(metafile.outputs).filter(([path]) => path.endsWith('.mjs'));
  const index = code.find(([path]) => path.endsWith('/index.mjs'))![0];
  const cold = staticClosure(metafile.outputs, index);
  const sum = (paths: typeof code): number => paths.reduce((bytes, [, output]) => bytes + output.bytes, 0);
  sizes.coldBytes = sum(code.filter(([path]) => cold.has(path)));
  sizes.totalBytes = sum(code);
  const problems = [...metafileProblems(metafile), ...missingPackages(metafile, bundle)];
  if (sizes.coldBytes > MAX_COLD_BYTES)
    problems.push(`is ${sizes.coldBytes} bytes at a cold start, the limit is ${MAX_COLD_BYTES}`);
  const deployed = sizes.totalBytes + sizes.packageBytes;
  if (deployed > MAX_PACKAGE_BYTES)
    problems.push(`is ${deployed} bytes with its packages, Lambda takes ${MAX_PACKAGE_BYTES}`);
  const unloadable = await loadProblem(join(outdir, 'index.mjs'));
  if (unloadable !== undefined) problems.push(unloadable);
  return { entry, ...sizes, problems };
}

/** Leaves a checked bundle where synthesis finds it; packages are copied beside it there, as always. */
async function keep(outdir: string, folder: string): Promise<void> {
  await rm(join(outdir, 'node_modules'), { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
  await cp(outdir, folder, { recursive: true });
}

/** Checks every bundle, two at a time, and keeps the good ones where AGENTMILL_BUNDLES says so. */
export async function checkBundles(bundles: readonly CheckedBundle[]): Promise<BundleReport[]> {
  const root = await mkdtemp(join(tmpdir(), 'agentmill-bundles-'));
  const reports: BundleReport[] = [];
  const left = bundles.map((bundle, n) => ({ bundle, outdir: join(root, String(n)) }));
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) {
      const { bundle, outdir } = next;
      const report = await checkBundle(bundle, outdir);
      reports.push(report);
      const kept = keptBundle(bundle);
      if (kept && report.problems.length === 0) await keep(outdir, kept);
      await rm(outdir, { recursive: true, force: true });
    }
  };
  try {
    await Promise.all([worker(), worker()]);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  return reports.sort((a, b) => (a.entry < b.entry ? -1 : 1));
}

if (import.meta.main) {
  const { catalog } = await import('#functions/catalog.ts');
  const reports = await checkBundles(bundleEntries(catalog));
  if (process.argv.includes('--record')) writeRecord(reports);
  const record = readRecord();
  for (const report of reports) {
    const grown = report.coldBytes > 0 ? growthProblem(report, record) : undefined;
    if (grown !== undefined) report.problems.push(grown);
  }
  const kib = (bytes: number): string => `${Math.round(bytes / 1024).toLocaleString('en')} KiB`.padStart(11);
  process.stdout.write(
    `${'bundle'.padEnd(48)}${'cold start'.padStart(11)}${'in all'.padStart(11)}${'packages'.padStart(11)}\n`,
  );
  for (const { entry, coldBytes, totalBytes, packageBytes, problems } of reports) {
    process.stdout.write(`${entry.padEnd(48)}${kib(coldBytes)}${kib(totalBytes)}${kib(packageBytes)}\n`);
    for (const problem of problems) process.stderr.write(`${entry} ${problem}\n`);
  }
  if (reports.some(({ problems }) => problems.length > 0)) process.exitCode = 1;
}
