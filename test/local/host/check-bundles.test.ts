import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundleId } from '#functions/bundling.ts';
import { catalog } from '#functions/catalog.ts';
import { bundleEntries, checkBundle, metafileProblems } from '#local/host/check-bundles.ts';
import { temporaryDirectory } from '#test/contract/support.ts';

describe('check:bundles', () => {
  it('lists every task of the catalog once, and the services', () => {
    const entries = bundleEntries(catalog).map(bundleId);
    expect(new Set(entries).size).toBe(entries.length);
    expect(entries).toContain('triggers/begin.ts');
    expect(entries.some((entry) => entry.startsWith('dataset-synthesis/tasks/'))).toBe(true);
  });

  it('builds and loads a bundle as production does', async () => {
    const { path, remove } = await temporaryDirectory();
    const report = await checkBundle({ entry: 'triggers/begin.ts' }, join(path, 'out'));
    await remove();
    expect(report.problems).toEqual([]);
    expect(report.coldBytes).toBeGreaterThan(10_000);
    expect(report.coldBytes).toBeLessThanOrEqual(report.totalBytes);
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
