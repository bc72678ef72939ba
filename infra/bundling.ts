import { join } from 'node:path';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { buildSync } from 'esbuild';
import { bundleOptions } from '#functions/bundling.ts';

const ROOT = join(import.meta.dirname, '..');

/**
 * The code asset of a task's entry module, bundled by the local esbuild; never by Docker. The asset's hash is that of
 * the bundle, so an unchanged task is not deployed again.
 */
export function bundledCode(entry: string): Code {
  return Code.fromAsset(join(ROOT, 'functions'), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Never pulled: the local bundler always succeeds or throws. The command tells assets of one folder apart.
      image: DockerImage.fromRegistry('agentmill.invalid/local-bundling-only'),
      command: [entry],
      local: {
        tryBundle(outputDir) {
          buildSync({ ...bundleOptions(entry, outputDir), metafile: false });
          return true;
        },
      },
    },
  });
}
