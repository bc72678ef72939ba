import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { App, Stack } from 'aws-cdk-lib';
import { Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { afterAll, describe, expect, test } from 'vitest';
import { bundleId, type Bundle } from '#functions/bundling.ts';
import { copyPackages, packageClosure } from '#functions/file-packages.ts';
import { bundledCode } from '#infra/bundling.ts';
import { bundleEntries, checkBundle } from '#local/host/check-bundles.ts';
import { moduleBeside } from '#shared/task/beside.ts';
import { sampleWorkflow } from './fixture.ts';

const root = mkdtempSync(join(tmpdir(), 'agentmill-file-packages-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A task that needs an npm package of files and a module for a thread of its own. */
const BUNDLE: Bundle = {
  entry: '../test/infra/fixtures/beside/handler.ts',
  packages: ['pyodide'],
  modules: ['test/infra/fixtures/beside/version-worker.ts'],
};

/** The handler's answer in a process of its own, with no checkout around the bundle. */
async function invoke(dir: string): Promise<unknown> {
  writeFileSync(
    join(dir, 'invoke.mjs'),
    `const { handler } = await import('./index.mjs');
    console.log(JSON.stringify(await handler())); process.exit(0);`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, ['invoke.mjs'], { cwd: dir });
  return JSON.parse(stdout);
}

/** Writes a tree of small files. */
function plant(base: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(base, path)), { recursive: true });
    writeFileSync(join(base, path), text);
  }
}

describe('packages beside a bundle', () => {
  const tree = join(root, 'tree');
  plant(tree, {
    'node_modules/main/package.json': JSON.stringify({
      dependencies: { dep: '1', '@scope/twice': '2' },
      optionalDependencies: { absent: '1' },
      peerDependencies: { peer: '1', unwanted: '1' },
      peerDependenciesMeta: { unwanted: { optional: true } },
      devDependencies: { builder: '1' },
    }),
    'node_modules/main/index.js': 'main',
    'node_modules/main/index.d.ts': 'types',
    'node_modules/main/data/weights.bin': 'weights',
    'node_modules/main/data/weights.bin.map': 'map',
    'node_modules/main/node_modules/@scope/twice/package.json': '{"version":"2"}',
    'node_modules/main/node_modules/stale/package.json': '{}',
    'node_modules/@scope/twice/package.json': '{"version":"1"}',
    'node_modules/dep/package.json': '{"dependencies":{"main":"1"}}',
    'node_modules/peer/package.json': '{}',
    'node_modules/builder/package.json': '{}',
  });

  test('a closure holds dependencies and peers where they were installed, each once, and nothing else', () => {
    expect(packageClosure(['main'], tree)).toEqual([
      'node_modules/dep',
      'node_modules/main',
      'node_modules/main/node_modules/@scope/twice',
      'node_modules/peer',
    ]);
    expect(packageClosure(['dep', 'main'], tree)).toEqual(packageClosure(['main'], tree));
  });

  test('what is not installed is named with who wants it', () => {
    expect(() => packageClosure(['gone'], tree)).toThrow(
      /"gone", named by a catalog entry, is not installed/,
    );
    plant(tree, { 'node_modules/broken/package.json': '{"dependencies":{"lost":"1"}}' });
    expect(() => packageClosure(['broken'], tree)).toThrow(/"lost", named by node_modules\/broken, is not/);
  });

  test('the copy has all that runs, without types and maps', () => {
    const out = join(root, 'copy');
    const bytes = copyPackages(['main'], out, tree);
    const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
    expect(files.map((file) => join(file.parentPath, file.name).slice(out.length + 1)).sort()).toEqual([
      'node_modules/dep/package.json',
      'node_modules/main/data/weights.bin',
      'node_modules/main/index.js',
      'node_modules/main/node_modules/@scope/twice/package.json',
      'node_modules/main/package.json',
      'node_modules/peer/package.json',
    ]);
    expect(bytes).toBe(
      files.reduce((sum, file) => sum + readFileSync(join(file.parentPath, file.name)).length, 0),
    );
  });
});

describe('bundles with files beside them', () => {
  test('[infra-api-cli 9] are measured apart from their packages, and run', async () => {
    const out = join(root, 'bundle');
    const report = await checkBundle(BUNDLE, out);
    expect(report).toMatchObject({ entry: bundleId(BUNDLE), problems: [] });
    expect(report.packageBytes).toBeGreaterThan(5_000_000);
    expect(report.totalBytes).toBeLessThan(5_000_000);
    const { version } = JSON.parse(readFileSync(join(out, 'node_modules/pyodide/package.json'), 'utf8')) as {
      version: string;
    };
    expect(await invoke(out)).toEqual({ here: version, there: version });
  });

  test('a package that is imported and not named is a problem; the inference bundle of all workflows may', async () => {
    const bare: Bundle = { entry: BUNDLE.entry, modules: BUNDLE.modules! };
    const report = await checkBundle(bare, join(root, 'bare'));
    expect(report.problems).toEqual(['imports pyodide: add it to `packages` of its catalog entry']);
    const shared = await checkBundle({ entry: BUNDLE.entry, shared: true }, join(root, 'shared'));
    expect(shared.problems).toEqual([]);
  });

  test('one entry with other packages is another bundle', () => {
    const one = sampleWorkflow();
    const two = sampleWorkflow('another');
    two.tasks.begin = { ...two.tasks.begin!, packages: ['pyodide'] };
    expect(bundleEntries([one, two]).map(bundleId)).toEqual(
      expect.arrayContaining(['triggers/begin.ts', 'triggers/begin.ts with pyodide']),
    );
  });

  test('are assets whose hash is that of their content', () => {
    const asset = (): { hash: string; folder: string } => {
      const app = new App({ analyticsReporting: false });
      const stack = new Stack(app, 'Stack');
      new LambdaFunction(stack, 'Function', {
        runtime: Runtime.NODEJS_24_X,
        handler: 'index.handler',
        code: bundledCode(BUNDLE),
      });
      const { directory } = app.synth();
      const hash = /asset\.([0-9a-f]{64})/.exec(readdirSync(directory).join(' '))![1]!;
      return { hash, folder: join(directory, `asset.${hash}`) };
    };
    const first = asset();
    expect(existsSync(join(first.folder, 'node_modules/pyodide/pyodide.asm.wasm'))).toBe(true);
    expect(existsSync(join(first.folder, 'version-worker.mjs'))).toBe(true);
    expect(asset().hash).toBe(first.hash);
  });

  test('a module beside is found as source and as bundle', () => {
    expect(moduleBeside('file:///repo/shared/text/encoder.ts', 'worker').href).toBe(
      'file:///repo/shared/text/worker.ts',
    );
    expect(moduleBeside('file:///var/task/encoder-AB.mjs', 'worker').href).toBe(
      'file:///var/task/worker.mjs',
    );
  });
});
