import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import { describe, expect, it, vi } from 'vitest';
import { bundleId, keptBundle } from '#functions/bundling.ts';
import { catalog } from '#functions/catalog.ts';
import { bundledCode } from '#infra/bundling.ts';
import { bundleEntries, checkBundle, checkBundles, metafileProblems } from '#local/host/check-bundles.ts';
import { temporaryDirectory } from '#test/contract/support.ts';

describe('check:bundles', () => {
  it('lists every task of the catalog once, and the services', () => {
    const entries = bundleEntries(catalog).map(bundleId);
    expect(new Set(entries).size).toBe(entries.length);
    expect(entries).toContain('triggers/begin.ts');
    expect(entries.some((entry) => entry.startsWith('dataset-synthesis/tasks/'))).toBe(true);
  });

  it('builds and loads a bundle as production does, and keeps it for synthesis where told to', async () => {
    const { path, remove } = await temporaryDirectory();
    vi.stubEnv('AGENTMILL_BUNDLES', path);
    const bundle = { entry: 'triggers/begin.ts' };
    try {
      const [report] = await checkBundles([bundle]);
      expect(report!.problems).toEqual([]);
      expect(report!.coldBytes).toBeGreaterThan(10_000);
      expect(report!.coldBytes).toBeLessThanOrEqual(report!.totalBytes);
      const kept = keptBundle(bundle)!;
      const code = readdirSync(kept).filter((name) => name.endsWith('.mjs'));
      expect(code).toContain('index.mjs');
      const bytes = code.reduce((sum, name) => sum + statSync(join(kept, name)).size, 0);
      expect(bytes).toBe(report!.totalBytes);

      writeFileSync(join(kept, 'index.mjs'), '// as kept');
      const app = new App({
        analyticsReporting: false,
        outdir: join(path, 'cdk.out'),
        context: { '@aws-cdk/core:validateAgainstDefaultRules': false },
      });
      const stack = new Stack(app, 'one');
      new CfnQueue(stack, 'Queue');
      bundledCode(bundle).bind(stack);
      app.synth();
      const asset = readdirSync(app.outdir).find((name) => name.startsWith('asset.'))!;
      expect(readFileSync(join(app.outdir, asset, 'index.mjs'), 'utf8')).toBe('// as kept');
      expect(keptBundle(bundle, {})).toBeUndefined();
    } finally {
      vi.unstubAllEnvs();
      await remove();
    }
  });

  it('reports a module without a handler, one that does not build, and what must not be bundled', async () => {
    const { path, remove } = await temporaryDirectory();
    const without = await checkBundle({ entry: 'bundling.ts' }, join(path, 'a'));
    expect(without.problems).toEqual([expect.stringContaining('handler')]);
    const absent = await checkBundle({ entry: 'triggers/no-such.ts' }, join(path, 'b'));
    expect(absent.problems[0]).toContain('does not build');
    await remove();
    const sqlite = { path: 'node:sqlite', kind: 'import-statement' as const, external: true };
    const inputs = {
      'local/host/index.ts': { bytes: 1, imports: [] },
      'shared/models/door.ts': { bytes: 1, imports: [sqlite] },
      'shared/research/corpus/corpus.ts': { bytes: 1, imports: [sqlite] },
      'node_modules/undici/cache.js': { bytes: 1, imports: [{ ...sqlite, kind: 'require-call' as const }] },
    };
    expect(metafileProblems({ inputs, outputs: {} })).toEqual([
      'bundles local/host/index.ts',
      'imports node:sqlite in shared/models/door.ts',
    ]);
  });
});
