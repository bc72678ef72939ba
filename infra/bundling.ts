import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { buildSync } from 'esbuild';
import { bundleId, bundleOptions, keptBundle, type Bundle } from '#functions/bundling.ts';
import { copyPackages } from '#functions/file-packages.ts';

const ROOT = join(import.meta.dirname, '..');

/**
 * The code asset of a task's entry module with what lies beside it, bundled by the local esbuild; never by Docker. The asset's hash is that of
 * the bundle, so an unchanged task is not deployed again.
 */
export function bundledCode(bundle: Bundle): Code {
  return Code.fromAsset(join(ROOT, 'functions'), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Never pulled: the local bundler always succeeds or throws. The command tells assets of one folder apart.
      image: DockerImage.fromRegistry('agentmill.invalid/local-bundling-only'),
      command: [bundleId(bundle)],
      local: {
        tryBundle(outputDir) {
          const kept = keptBundle(bundle);
          if (kept && existsSync(kept)) cpSync(kept, outputDir, { recursive: true });
          else buildSync({ ...bundleOptions(bundle, outputDir), metafile: false });
          copyPackages(bundle.packages ?? [], outputDir);
          return true;
        },
      },
    },
  });
}
