import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleOptions } from '#functions/bundling.ts';
import { catalog } from '#functions/catalog.ts';
import { services } from '#functions/services.ts';
import { gatewayEvent, iam, type Call } from '#test/support/api.ts';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
  version: string;
};

/** Runs a bundle as Lambda does: a process of its own, with the function's environment and no checkout around it. */
async function invoke(dir: string, script: string): Promise<unknown> {
  const args = ['--enable-source-maps', '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: dir,
    env: {
      AWS_REGION: 'eu-west-1',
      AGENTMILL_STAGE: 'dev',
      AGENTMILL_BUCKET: 'bucket',
      AGENTMILL_TABLE: 'table',
      AGENTMILL_MACHINE_PREFIX: 'arn:aws:states:eu-west-1:1:stateMachine:agentmill-dev-',
      AGENTMILL_MACHINE_ALIAS: 'live',
      AGENTMILL_LOG_LEVEL: 'error',
    },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

describe('bundles under Node 24', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agentmill-bundle-'));
  const api = join(dir, 'api');
  const tokens = join(dir, 'tokens');
  beforeAll(async () => {
    await Promise.all([
      build(bundleOptions(services.api, api)),
      build(bundleOptions({ entry: '../shared/text/tokens.ts' }, tokens)),
    ]);
  }, 120_000);
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const call = async (request: Call) => {
    const event = JSON.stringify(gatewayEvent(request));
    const answer = (await invoke(
      api,
      `import { handler } from './index.mjs';
       console.log(JSON.stringify(await handler(${event}, { awsRequestId: 'r' })));
       process.exit(0);`,
    )) as { statusCode: number; headers: Record<string, string>; body: string };
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the test looks into any answer
    return { ...answer, body: JSON.parse(answer.body) as any };
  };
  const authorizer = iam('123456789012', 'AROAEXAMPLE:session');

  test('[infra-api-cli 9] the API bundle answers API Gateway v2 events', async () => {
    const [health, workflows, refused] = await Promise.all([
      call({ path: '/v1/health' }),
      call({ path: '/v1/workflows', authorizer }),
      call({ method: 'POST', path: '/v1/jobs', body: { workflow: 7 }, authorizer }),
    ]);
    expect(health).toMatchObject({ statusCode: 200, body: { status: 'ok', version } });
    expect(health.headers['X-Request-Id']).toBe('request-1');
    expect(workflows.statusCode).toBe(200);
    expect((workflows.body.items as { name: string }[]).map(({ name }) => name)).toEqual(
      catalog.map(({ name }) => name),
    );
    expect(refused.statusCode).toBe(422);
    expect(refused.headers['Content-Type']).toContain('application/problem+json');
    expect(refused.body.errors[0].pointer).toMatch(/^#\/(workflow|input)/);
  }, 120_000);

  test('[infra-api-cli 9] a bundle counts tokens with the file beside it', async () => {
    const counted = await invoke(
      tokens,
      `import { countTokens, decodeTokens, encodeTokens } from './index.mjs';
       const text = 'Nine hundred wide rivers, and the Ålesund ferry.';
       console.log(JSON.stringify([countTokens(text), decodeTokens(encodeTokens(text))]));`,
    );
    const { countTokens } = await import('#shared/text/tokens.ts');
    const text = 'Nine hundred wide rivers, and the Ålesund ferry.';
    expect(counted).toEqual([countTokens(text), text]);
  }, 120_000);
});
