import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDesk, type Desk, type Ran } from './cli-command.ts';

/** Interrupted, killed and cancelled runs of the real command end as uninterrupted ones do. */

const DOCUMENTS = 6;
/** Filter and identify a document, generate and check two pairs of each. */
const CALLS = DOCUMENTS * 6;
const IN_FLIGHT = 4;
const RUN = ['run', 'dataset-synthesis', '--file', 'bridges.jsonl', '--model', 'stub'];
const PATIENCE = { timeout: 120_000 };

let desk: Desk;
let whole: Awaited<ReturnType<typeof resultOf>>;

beforeAll(async () => {
  desk = await openDesk(DOCUMENTS);
  whole = await resultOf(await desk.run('whole', [...RUN, '--json']));
}, 120_000);
afterAll(() => desk?.close());

/** What a finished job made, from its `--json` line and its files. */
async function resultOf({ code, stdout, stderr }: Ran) {
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const summary = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
    status: string;
    calls: number;
    costMicroUsd: number;
    outputs: string[];
  };
  const file = (name: string): string =>
    join(
      desk.dir,
      summary.outputs.find((path) => path.endsWith(name))!,
    );
  const manifest = JSON.parse(await readFile(file('manifest.json'), 'utf8')) as {
    content: { shards: unknown; counts: unknown };
  };
  return {
    status: summary.status,
    cost: { calls: summary.calls, microUsd: summary.costMicroUsd },
    shards: manifest.content.shards,
    counts: manifest.content.counts,
    data: await readFile(file('data/part-00000.jsonl'), 'utf8'),
    parquet: await readFile(file('data/part-00000.parquet'), 'hex'),
    rejects: await readFile(file('rejects.jsonl'), 'utf8'),
  };
}

/** Starts a job and lets the model answer some of its calls: it then waits for more until `pause` is released. */
async function begin(dataDir: string, answers: number) {
  const from = desk.stub.answered.length;
  const pause = desk.pauseAfter(answers);
  const command = desk.agentmill(dataDir, RUN);
  const [jobId] = await command.printed(/dataset-synthesis\.[a-z0-9]{20,}/);
  await Promise.race([
    pause.reached,
    command.done.then(({ stderr }) => {
      throw new Error(`The job ended too early:\n${stderr}`);
    }),
  ]);
  const answered = (): string[] => desk.stub.answered.slice(from).map(({ body }) => body);
  return { jobId: jobId!, command, pause, answered };
}

test('the uninterrupted run is whole', () => {
  expect(whole.status).toBe('SUCCEEDED');
  expect(whole.cost).toEqual({ calls: CALLS, microUsd: CALLS * 50 });
  expect(whole.data.trim().split('\n')).toHaveLength(DOCUMENTS * 2);
});

test(
  '[infra-api-cli 28] Ctrl-C, then resume: byte-identical output, nothing paid twice',
  PATIENCE,
  async () => {
    const { jobId, command, pause, answered } = await begin('once', 7);
    command.kill('SIGINT');
    await command.printed(/Stopping/);
    // What is under way is answered; the rest would take far longer than it takes to stop.
    pause.release(1_000);
    const stopped = await command.done;
    expect(stopped).toMatchObject({ code: 130, stdout: '' });
    expect(stopped.stderr).toContain(`agentmill resume ${jobId}`);
    expect(answered().length).toBeLessThan(CALLS);
    pause.release();

    expect(await resultOf(await desk.run('once', ['resume', jobId, '--json']))).toEqual(whole);
    expect(answered()).toHaveLength(CALLS);
    expect(new Set(answered()).size).toBe(CALLS);
  },
);

test(
  '[infra-api-cli 28] a second Ctrl-C exits at once; the job still resumes to the same bytes',
  PATIENCE,
  async () => {
    const { jobId, command, pause, answered } = await begin('twice', 19);
    command.kill('SIGINT');
    await command.printed(/Stopping/);
    command.kill('SIGINT');
    expect((await command.done).code).toBe(130);
    pause.release();

    const resumed = await resultOf(await desk.call('twice', ['resume', jobId, '--json']));
    expect({ ...resumed, cost: undefined }).toEqual({ ...whole, cost: undefined });
    expect(new Set(answered()).size).toBe(CALLS);
    // Only calls whose answers were under way can have been lost.
    expect(answered().length).toBeLessThanOrEqual(CALLS + IN_FLIGHT);
  },
);

test('a job whose command was killed shows as running and goes on with resume', PATIENCE, async () => {
  const { jobId, command, pause, answered } = await begin('killed', 10);
  command.kill('SIGKILL');
  expect((await command.done).signal).toBe('SIGKILL');
  pause.release();
  const shown = await desk.call('killed', ['job', jobId, '--json']);
  expect(JSON.parse(shown.stdout)).toMatchObject({ jobId, status: 'RUNNING' });

  const resumed = await resultOf(await desk.call('killed', ['resume', jobId, '--json']));
  expect({ ...resumed, cost: undefined }).toEqual({ ...whole, cost: undefined });
  expect(answered().length).toBeLessThanOrEqual(CALLS + IN_FLIGHT);
});

test(
  'a job cancelled from another process exits 4 without a marker; followers see it; resume finishes it',
  PATIENCE,
  async () => {
    const { jobId, command, pause, answered } = await begin('cancelled', 9);
    const watch = desk.agentmill('cancelled', ['job', jobId, '--watch']);
    const logs = desk.agentmill('cancelled', ['logs', jobId, '--follow']);
    // Both follow a running job before it is cancelled.
    await watch.printed(/AnalyseDocuments/);
    const cancelling = desk.call('cancelled', ['cancel', jobId]);
    await logs.printed(/Cancellation was asked for/);
    // Slow enough for the tasks to see it, within two seconds, in the middle of their calls.
    pause.release(1_500);
    const cancel = await cancelling;
    expect(cancel).toMatchObject({ code: 0, stdout: `CANCELLED  ${jobId}\n` });
    const ended = await command.done;
    expect(ended.code).toBe(4);
    expect(ended.stdout).toContain(`agentmill resume ${jobId}`);
    expect((await watch.done).code).toBe(4);
    expect(await logs.done).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('The job ended as CANCELLED'),
    });
    const marker = join(desk.dir, `cancelled/objects/agentmill-local/jobs/${jobId}/output/_SUCCESS`);
    await expect(readFile(marker)).rejects.toThrow(/ENOENT/);

    pause.release();
    const again = await desk.call('cancelled', ['cancel', jobId]);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/has ended as CANCELLED/) });
    const resumed = await desk.call('cancelled', ['resume', jobId, '--json']);
    expect(resumed.stderr).not.toContain('CANCELLED');
    expect({ ...(await resultOf(resumed)), cost: undefined }).toEqual({ ...whole, cost: undefined });
    expect(new Set(answered()).size).toBe(answered().length);
    expect(await readFile(marker, 'utf8')).toBe('');
  },
);
