import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const SOURCES = [
  'functions',
  'shared',
  'infra',
  'statemachines',
  'models.json',
  'package.json',
  'cdk.json',
  'tsconfig.json',
];

/**
 * Runs `cdk synth` on a copy of the tree, as on a machine without AWS settings, Docker or a network. Every stack is
 * synthesised; naming one leaves the bundles of the others out, which take most of the time (`npm run synth` makes all).
 */
async function synth(
  base: string,
  name: string,
  from: string,
  env: Record<string, string> = {},
): Promise<string> {
  const dir = join(base, name);
  for (const source of SOURCES) cpSync(join(from, source), join(dir, source), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  const home = join(base, `home-${name}`);
  mkdirSync(home);
  const nowhere = 'http://127.0.0.1:9';
  await promisify(execFile)(
    process.execPath,
    [
      join(dir, 'node_modules/aws-cdk/bin/cdk'),
      'synth',
      'agentmill-dev-entry',
      '--exclusively',
      '--quiet',
      '--output',
      'cdk.out',
    ],
    {
      cwd: dir,
      env: {
        HOME: home,
        TMPDIR: base,
        PATH: join(dir, 'node_modules/.bin'),
        HTTP_PROXY: nowhere,
        HTTPS_PROXY: nowhere,
        CI: '1',
        ...env,
      },
      maxBuffer: 1e8,
    },
  );
  return join(dir, 'cdk.out');
}

/**
 * CDK's notes to itself, never deployed: how long it took, and which line of the checkout made each construct; and the
 * list of assets of stacks that were not bundled, which names the folder instead.
 */
const NOTES = /^performance-counters\.json$|\.metadata\.json$|^agentmill-dev-(?!entry\.).*\.assets\.json$/;

/** The files below a folder with the hash of their bytes. */
function hashesOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (file) => file.isFile() && !NOTES.test(file.name),
  );
  return Object.fromEntries(
    files
      .map((file) => join(file.parentPath, file.name))
      .map((path): [string, string] => [
        relative(folder, path),
        createHash('sha256').update(readFileSync(path)).digest('hex'),
      ])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

describe('synth', () => {
  const base = mkdtempSync(join(tmpdir(), 'agentmill-synth-'));
  let outputs: string[] = [];
  beforeAll(async () => {
    const first = await synth(base, 'first', ROOT);
    // From the copy: the tree may be at work under a developer's hands.
    const second = await synth(base, 'other-place', join(base, 'first'), { AGENTMILL_VALIDATION: 'off' });
    outputs = [first, second];
  }, 900_000);
  afterAll(() => rmSync(base, { recursive: true, force: true }));

  test('[infra-api-cli 1] succeeds without credentials, network or Docker', () => {
    const templates = readdirSync(outputs[0]!).filter((name) => name.endsWith('.template.json'));
    expect(templates).toEqual(
      expect.arrayContaining([
        'agentmill-dev-data.template.json',
        'agentmill-dev-entry.template.json',
        'agentmill-dev-models.template.json',
        'agentmill-dev-ops.template.json',
        'agentmill-dev-workflow-dataset-synthesis.template.json',
      ]),
    );
    for (const name of templates) {
      const { Resources } = JSON.parse(readFileSync(join(outputs[0]!, name), 'utf8')) as {
        Resources: object;
      };
      expect(Object.keys(Resources).length, name).toBeLessThanOrEqual(400);
    }
  });

  test('[infra-api-cli 2] two directories give identical bytes, templates and bundles', () => {
    const [first, second] = outputs.map(hashesOf);
    expect(Object.keys(first!).some((path) => path.endsWith('index.mjs'))).toBe(true);
    expect(second).toEqual(first);
  });
});
