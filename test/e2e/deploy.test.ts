import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { checkedPlatform } from '#infra/checked.ts';
import { buildFixture } from '#test/infra/fixture.ts';
import { startAwsDouble, type AwsDouble } from '#test/support/aws-double/index.ts';
import { servedTypes } from '#test/support/aws-double/served-types.ts';

// Bounds of what hangs, not of what is slow: the machine may be at work on much else.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 900_000 });

const ROOT = join(import.meta.dirname, '../..');
const base = mkdtempSync(join(tmpdir(), 'agentmill-deploy-'));
const assembly = join(base, 'cdk.out');
let aws: AwsDouble;

interface AssetList {
  files: Record<string, { source: { path: string } }>;
}

/**
 * Making and sending every bundle takes minutes, and `npm run check:bundles` makes them all: here those of one stack are
 * made, all with AGENTMILL_DEPLOY_ALL_BUNDLES=1. Templates, machines and everything else are the real ones.
 */
const BUNDLE = process.env.AGENTMILL_DEPLOY_ALL_BUNDLES ? '**' : 'agentmill-dev-entry';

beforeAll(async () => {
  mkdirSync(join(base, 'home'));
  aws = await startAwsDouble(servedTypes);
  if (BUNDLE !== '**') aws.stacks.bundled = (name) => name.startsWith(BUNDLE);
  const { app } = buildFixture({ ...checkedPlatform(), bundle: [BUNDLE], outdir: assembly });
  app.synth();
  if (BUNDLE !== '**') standIn();
});

/** What is not bundled is the whole folder functions/, packed anew for each function: a folder of one line stands for it. */
function standIn(): void {
  const unbundled = join(base, 'unbundled');
  mkdirSync(unbundled);
  writeFileSync(join(unbundled, 'README'), 'The code of a function that was not bundled.\n');
  const lists = readdirSync(assembly).filter((name) => name.endsWith('.assets.json'));
  for (const path of lists.map((name) => join(assembly, name))) {
    const assets = JSON.parse(readFileSync(path, 'utf8')) as AssetList;
    for (const { source } of Object.values(assets.files))
      if (source.path === join(ROOT, 'functions')) source.path = unbundled;
    writeFileSync(path, JSON.stringify(assets));
  }
}
afterAll(async () => {
  await aws.close();
  rmSync(base, { recursive: true, force: true });
});

/** The real command, with nothing but an endpoint and invented credentials. */
const cdk = (...args: string[]) =>
  new Promise<{ code: number; output: string }>((resolve) => {
    execFile(
      process.execPath,
      [join(ROOT, 'node_modules/aws-cdk/bin/cdk'), ...args],
      {
        cwd: ROOT,
        maxBuffer: 1e8,
        env: {
          HOME: join(base, 'home'),
          TMPDIR: base,
          PATH: join(ROOT, 'node_modules/.bin'),
          CI: '1',
          AWS_ENDPOINT_URL: aws.endpoint,
          AWS_REGION: 'eu-west-1',
          AWS_ACCESS_KEY_ID: 'test',
          AWS_SECRET_ACCESS_KEY: 'test',
        },
      },
      (error, stdout, stderr) =>
        resolve({ code: error ? ((error as { code?: number }).code ?? -1) : 0, output: stdout + stderr }),
    );
  });

const finished = () => aws.stacks.history.splice(0).map(({ stack, status }) => `${stack} ${status}`);

test('every stack deploys to an AWS-compatible endpoint named by AWS_ENDPOINT_URL, and goes away again', async () => {
  const refused = await cdk('deploy', '--all', '--require-approval', 'never', '--app', assembly);
  expect(refused.code).toBe(1);
  expect(refused.output).toContain("Has the environment been bootstrapped? Please run 'cdk bootstrap'");

  const bootstrapped = await cdk('bootstrap', '--app', assembly);
  expect(bootstrapped.code, bootstrapped.output).toBe(0);
  expect(finished()).toEqual(['CDKToolkit CREATE_COMPLETE']);

  const deployed = await cdk('deploy', '--all', '--require-approval', 'never', '--app', assembly);
  expect(deployed.code, deployed.output).toBe(0);
  const order = finished();
  expect(order[0]).toBe('agentmill-dev-data CREATE_COMPLETE');
  const { artifacts } = JSON.parse(readFileSync(join(assembly, 'manifest.json'), 'utf8')) as {
    artifacts: Record<string, { type: string }>;
  };
  const stacks = Object.keys(artifacts).filter((id) => artifacts[id]!.type === 'aws:cloudformation:stack');
  expect(stacks.length).toBeGreaterThanOrEqual(5);
  expect([...order].sort()).toEqual(stacks.map((stack) => `${stack} CREATE_COMPLETE`).sort());
  const made = [...aws.stacks.live()].filter(({ stack }) => stack !== 'CDKToolkit');
  expect(made.filter(({ type }) => type === 'AWS::Lambda::Function').length).toBeGreaterThan(10);
  expect(deployed.output).toMatch(/agentmill-dev-entry\.ApiUrl = https:\/\/\w+\.execute-api\.eu-west-1\./);

  const again = await cdk('deploy', '--all', '--require-approval', 'never', '--app', assembly);
  expect(again.code, again.output).toBe(0);
  expect(again.output.match(/\(no changes\)/g)).toHaveLength(stacks.length);
  expect(finished()).toEqual([]);

  const destroyed = await cdk('destroy', '--all', '--force', '--app', assembly);
  expect(destroyed.code, destroyed.output).toBe(0);
  const gone = finished();
  expect([...gone].sort()).toEqual(stacks.map((stack) => `${stack} DELETE_COMPLETE`).sort());
  // What others import goes last.
  expect(gone.at(-1)).toBe('agentmill-dev-data DELETE_COMPLETE');
  expect(aws.unsupported).toEqual([]);
});

test('a template with a fault is refused, rolled back, and says why', async () => {
  const app = new App({ analyticsReporting: false, outdir: join(base, 'broken') });
  const stack = new Stack(app, 'broken');
  const queue = new CfnQueue(stack, 'Jobs', { queueName: 'jobs' });
  queue.addPropertyOverride('VisibiltyTimeout', 30);
  new CfnOutput(stack, 'Name', { value: queue.ref });
  app.synth();
  const { code, output } = await cdk(
    'deploy',
    '--all',
    '--require-approval',
    'never',
    '--app',
    join(base, 'broken'),
  );
  expect(code).toBe(1);
  expect(output).toContain('extraneous key [VisibiltyTimeout] is not permitted');
  expect(finished()).toEqual(['broken ROLLBACK_COMPLETE']);
  expect([...aws.stacks.live()].filter((live) => live.stack === 'broken')).toEqual([]);
});
