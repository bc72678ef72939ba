import { afterEach, describe, expect, it, vi } from 'vitest';
import { awsRuntime, queueVariable } from '#shared/storage/aws/runtime.ts';
import { failure, recordingServer } from './support.ts';

afterEach(() => vi.unstubAllEnvs());

describe('awsRuntime', () => {
  it('misses no variable until a port is used, and then names it', async () => {
    const runtime = awsRuntime({});
    expect(runtime.kind).toBe('aws');
    expect(() => runtime.artifacts).toThrow('AGENTMILL_BUCKET');
    expect((await failure(runtime.records.get({ pk: 'p', sk: 's' }), 'Defect')).message).toContain(
      'AGENTMILL_TABLE',
    );
    expect((await failure(runtime.queue('on-result').receive(), 'Defect')).message).toContain(
      'AGENTMILL_QUEUE_URL_ON_RESULT',
    );
    const stop = runtime.workflows.stop('arn:aws:states:us-east-1:1:execution:m:n');
    await expect(stop).rejects.toThrow();
    expect(queueVariable('starts')).toBe('AGENTMILL_QUEUE_URL_STARTS');
  });

  it('reaches every service through AWS_ENDPOINT_URL, and the account through STS', async () => {
    const server = await recordingServer((request, response) => {
      const target = String(request.headers['x-amz-target'] ?? '');
      if (request.body.toString().includes('GetCallerIdentity')) {
        response.setHeader('content-type', 'text/xml');
        return void response.end(
          '<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>',
        );
      }
      if (target.includes('StartExecution'))
        return void response.end('{"executionArn":"arn:x","startDate":1}');
      if (target.includes('ReceiveMessage')) return void response.end('{"Messages":[]}');
      if (target.includes('GetItem')) return void response.end('{}');
      response.setHeader('etag', '"e"').end('body');
    });
    for (const [name, value] of Object.entries({
      AWS_ENDPOINT_URL: server.url,
      AWS_REGION: 'eu-west-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    })) {
      vi.stubEnv(name, value);
    }
    const runtime = awsRuntime({
      ...process.env,
      AGENTMILL_BUCKET: 'the-bucket',
      AGENTMILL_TABLE: 'the-table',
      AGENTMILL_QUEUE_URL_STARTS: `${server.url}/123456789012/starts`,
      AGENTMILL_MACHINE_PREFIX: 'agentmill-dev-',
      AGENTMILL_MACHINE_ALIAS: 'live',
    });
    expect(runtime.artifacts.bucket).toBe('the-bucket');
    expect(runtime.bucket('other').bucket).toBe('other');
    expect(await runtime.artifacts.put('k', 'x')).toMatchObject({ etag: 'e' });
    expect(await runtime.records.get({ pk: 'p', sk: 's' })).toBeUndefined();
    expect(runtime.queue('starts').name).toBe('starts');
    expect(await runtime.queue('starts').receive()).toEqual([]);
    await runtime.workflows.start({ machine: 'dataset-synthesis', name: 'n', input: {} });
    await runtime.workflows.start({ machine: 'dataset-synthesis', name: 'n', input: {} });
    const urls = server.requests.map(({ method, url, headers }) =>
      `${method} ${url} ${String(headers['x-amz-target'] ?? '')}`.trim(),
    );
    expect(urls.filter((line) => line.endsWith('StartExecution'))).toHaveLength(2);
    expect(urls[0]).toBe('PUT /the-bucket/k?x-id=PutObject');
    const start = JSON.parse(server.requests.at(-1)!.body.toString()) as { stateMachineArn: string };
    expect(start.stateMachineArn).toBe(
      'arn:aws:states:eu-west-1:123456789012:stateMachine:agentmill-dev-dataset-synthesis:live',
    );
    // One identity look-up serves every start.
    expect(server.requests.filter(({ body }) => body.toString().includes('GetCallerIdentity'))).toHaveLength(
      1,
    );
    await server.close();
  });
});
