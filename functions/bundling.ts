import { createHash } from 'node:crypto';
import { basename, extname, join } from 'node:path';
import type { BuildOptions } from 'esbuild';
import { entryModule, type BundleExtras, type TaskEntry } from '#shared/task/catalog.ts';
import { FILE_PACKAGES } from './file-packages.ts';

const FUNCTIONS = import.meta.dirname;
const ROOT = join(FUNCTIONS, '..');

/** What becomes one Lambda bundle. */
export interface Bundle extends BundleExtras {
  /** Module below functions/, such as `dataset-synthesis/tasks/plan.ts`. */
  entry: string;
}

/** The bundle of a workflow's task. */
export const bundleOf = (workflow: string, task: TaskEntry): Bundle => ({
  entry: entryModule(workflow, task),
  ...(task.packages ? { packages: task.packages } : {}),
  ...(task.modules ? { modules: task.modules } : {}),
});

/** One text for each distinct bundle: its entry and, where there is any, what lies beside it. */
export function bundleId({ entry, packages = [], modules = [] }: Bundle): string {
  const extras = [...new Set([...packages, ...modules])].sort();
  return extras.length === 0 ? entry : `${entry} with ${extras.join(', ')}`;
}

/**
 * Where a bundle that is made already would be: in the folder AGENTMILL_BUNDLES names, which `npm run check:bundles` fills
 * and `cdk synth` of the same checkout takes from, so that both together make each bundle once. Undefined without it.
 */
export function keptBundle(bundle: Bundle, env = process.env): string | undefined {
  const name = createHash('sha256').update(bundleId(bundle)).digest('hex').slice(0, 16);
  return env.AGENTMILL_BUNDLES ? join(env.AGENTMILL_BUNDLES, name) : undefined;
}

/** The file of a module beside the bundle, without extension. */
export const besideName = (module: string): string => basename(module, extname(module));

/**
 * How a task becomes a Lambda bundle (infra-api-cli section 2): the one set of options for deployment and for
 * `npm run check:bundles`.
 *
 * Dynamic imports become chunks of their own (`splitting`), so that language models and SDK clients that a task loads
 * only when it needs them are no part of its cold start. The AWS SDK is bundled: our pinned one runs, not the runtime's.
 * Packages of files are left out: `copyPackages` (functions/file-packages.ts) puts the named ones beside the bundle.
 * @param outdir receives `index.mjs`, its chunks and source maps.
 */
export function bundleOptions(
  { entry, packages = [], modules = [] }: Bundle,
  outdir: string,
): BuildOptions & { outdir: string } {
  return {
    // The tokenizer stands beside every bundle: shared/text/tokens.ts loads it, synchronously, when a text is counted.
    entryPoints: {
      index: join(FUNCTIONS, entry),
      o200k_base: 'gpt-tokenizer/encoding/o200k_base',
      ...Object.fromEntries(modules.map((module) => [besideName(module), join(ROOT, module)])),
    },
    define: { 'process.env.AGENTMILL_O200K_MODULE': '"./o200k_base.mjs"' },
    absWorkingDir: ROOT,
    outdir,
    outExtension: { '.js': '.mjs' },
    // All in one folder, so that relative names hold in every chunk.
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    keepNames: true,
    sourcemap: 'linked',
    sourcesContent: false,
    mainFields: ['module', 'main'],
    external: [...new Set([...FILE_PACKAGES, ...packages])],
    metafile: true,
    logLevel: 'error',
    // CommonJS dependencies inside an ES module need `require`.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
  };
}
