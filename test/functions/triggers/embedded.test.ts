import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPlatform, type Platform } from '#local/platform.ts';
import { executionName } from '#shared/task/envelope.ts';
import { jobControl } from '#shared/task/job-control.ts';
import { isTerminal, type Job } from '#shared/task/jobs.ts';

/** The triggers on the whole embedded platform: the real engine, host, queue and workflow. */

let dir: string;
let platform: Platform;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agentmill-triggers-'));
  platform = await openPlatform({ dataDir: dir });
});
afterAll(async () => {
  await platform.close();
  await rm(dir, { recursive: true, force: true });
});

const control = () => jobControl(platform.runtime, platform.catalog);
const text =
  'Pebble Bridge is a stone arch bridge in Fenmoor. It was opened to road traffic in 1911 and is 48 metres long. ' +
  'The bridge was designed by Mara Holt. The capital of the county of Fenmoor is Arven, a town of 12,400 people. '.repeat(
    3,
  );

async function waitFor(find: () => Promise<Job | undefined>): Promise<Job> {
  for (;;) {
    const job = await find();
    if (job && isTerminal(job.status)) return job;
    await platform.runtime.clock.sleep(20);
  }
}
const jobsOf = async (owner: string, workflow: string): Promise<Job[]> =>
  (await control().store.list({ owner, workflows: [workflow] })).items;

test('[infra-api-cli 25] a dropped file, the API and a bare start make the same outputs', async () => {
  const { artifacts, workflows } = platform.runtime;
  const key = 'ingest/dataset-synthesis/bridge.jsonl';
  await artifacts.put(key, `${JSON.stringify({ title: 'Pebble Bridge', text, licence: 'CC0-1.0' })}\n`);
  const dropped = await waitFor(async () => (await jobsOf('ingest', 'dataset-synthesis'))[0]);
  const viaApi = await platform.run('dataset-synthesis', dropped.input);
  // Who waits for a job finds all that it writes: its marker and its last event come after its status.
  expect((await workflows.describe(viaApi.executionId!)).status).toBe('SUCCEEDED');
  expect((await artifacts.head(`jobs/${viaApi.jobId}/output/_SUCCESS`)).bytes).toBe(0);
  await workflows.start({ machine: 'dataset-synthesis', name: 'by-hand', input: dropped.input });
  const byHand = await waitFor(async () => (await jobsOf('console', 'dataset-synthesis'))[0]);
  const outputs = async ({ jobId }: Job) => {
    const prefix = `jobs/${jobId}/output/data/`;
    const { objects } = await artifacts.list({ prefix });
    return Promise.all(
      objects.map(async (object) => [
        object.key.slice(prefix.length),
        (await artifacts.head(object.key)).sha256,
      ]),
    );
  };
  expect([dropped.status, viaApi.status, byHand.status]).toEqual(['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED']);
  const first = await outputs(dropped);
  expect(first.length).toBeGreaterThan(0);
  expect(await outputs(viaApi)).toEqual(first);
  expect(await outputs(byHand)).toEqual(first);
  expect([viaApi.yields, byHand.yields]).toEqual([dropped.yields, dropped.yields]);
});

test('[infra-api-cli 23] a bad object is a FAILED job on the platform, too', async () => {
  await platform.runtime.artifacts.put('ingest/dataset-synthesis/x.job.json', '{"input":{"sources":[]}}');
  await platform.runtime.artifacts.put('ingest/nope/x.txt', 'x');
  const refused = await waitFor(async () =>
    (await jobsOf('ingest', 'dataset-synthesis')).find(({ error }) => error),
  );
  expect(refused.error).toMatchObject({
    type: 'urn:agentmill:problem:invalid-input',
    errors: [{ pointer: '#/input/sources' }],
  });
  const unknown = await waitFor(async () => (await jobsOf('ingest', 'unknown'))[0]);
  expect(unknown.error!.type).toBe('urn:agentmill:problem:unknown-workflow');
});

test('an input that begin refuses ends the execution, and the job stays as begin closed it', async () => {
  const { workflows } = platform.runtime;
  const { executionArn } = await workflows.start({
    machine: 'dataset-synthesis',
    name: 'bad',
    input: { sources: 1 },
  });
  const job = await waitFor(async () =>
    (await jobsOf('console', 'dataset-synthesis')).find(({ error }) => error),
  );
  expect(job).toMatchObject({ status: 'FAILED', executionId: executionArn, error: { status: 422 } });
  while ((await workflows.describe(executionArn)).status === 'RUNNING')
    await platform.runtime.clock.sleep(20);
  expect((await control().store.get(job.jobId))!.job).toEqual(job);
  expect(executionName(job.jobId, 1)).not.toBe('bad');
});
