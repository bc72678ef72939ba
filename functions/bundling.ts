import { join } from 'node:path';
import type { BuildOptions } from 'esbuild';

const FUNCTIONS = import.meta.dirname;

/**
 * How a task becomes a Lambda bundle (infra-api-cli section 2): the one set of options for deployment and for
 * `npm run check:bundles`.
 *
 * Dynamic imports become chunks of their own (`splitting`), so that language models and SDK clients that a task loads
 * only when it needs them are no part of its cold start. The AWS SDK is bundled: our pinned one runs, not the runtime's.
 * @param entry module below functions/, such as `dataset-synthesis/tasks/plan.ts`.
 * @param outdir receives `index.mjs`, its chunks and source maps.
 */
export function bundleOptions(entry: string, outdir: string): BuildOptions & { outdir: string } {
  return {
    // The tokenizer stands beside every bundle: shared/text/tokens.ts loads it, synchronously, when a text is counted.
    entryPoints: { index: join(FUNCTIONS, entry), o200k_base: 'gpt-tokenizer/encoding/o200k_base' },
    define: { 'process.env.AGENTMILL_O200K_MODULE': '"./o200k_base.mjs"' },
    absWorkingDir: join(FUNCTIONS, '..'),
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
    external: [],
    metafile: true,
    logLevel: 'error',
    // CommonJS dependencies inside an ES module need `require`.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
  };
}
