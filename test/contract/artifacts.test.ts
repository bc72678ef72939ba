import { S3Client } from '@aws-sdk/client-s3';
import { describe, it } from 'vitest';
import { systemClock } from '#shared/determinism/clock.ts';
import { S3Artifacts } from '#shared/storage/aws/s3.ts';
import type { ObjectCreated } from '#shared/storage/ports.ts';
import { artifactsContract } from './artifacts.contract.ts';
import { embeddedStore } from './embedded.ts';

artifactsContract('embedded', async () => {
  const store = await embeddedStore();
  const created: ObjectCreated[] = [];
  store.onCreated(async (event) => void created.push(event));
  await store.start();
  return { artifacts: store.artifacts(), created, close: store.remove };
});

// The whole suite against a real S3-compatible store: set both, and credentials as for any SDK client.
const { AGENTMILL_TEST_S3_ENDPOINT: endpoint, AGENTMILL_TEST_S3_BUCKET: bucket } = process.env;
if (endpoint && bucket) {
  artifactsContract(`S3 (${endpoint})`, async () => {
    const client = new S3Client({
      endpoint,
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
    });
    return { artifacts: new S3Artifacts(bucket, client, systemClock), close: async () => client.destroy() };
  });
} else {
  describe('artifacts: S3 (a real endpoint)', () => {
    it.skip('set AGENTMILL_TEST_S3_ENDPOINT and AGENTMILL_TEST_S3_BUCKET to run the suite there', () => {});
  });
}
